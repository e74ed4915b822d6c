"""Does what a batch says: turns are written, changed and taken away, and conversations told."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import structlog

from turnwire_chassis.event_log import EventLog
from turnwire_chassis.telemetry import names, spans, trace_context
from turnwire_chassis.telemetry.metrics import DEAD_LETTERS
from turnwire_contracts.codec import UnreadableEventError
from turnwire_contracts.ids import ResponseId
from turnwire_contracts.turn import ImpossibleEventError
from turnwire_store.feeding.feed import DeadLetter, Entry, Feeds
from turnwire_store.projecting.changing import revise
from turnwire_store.projecting.conversing import Gone, converse
from turnwire_store.projecting.erasing import erase_conversation, erase_turn
from turnwire_store.projecting.projection import DEFAULT_LIMITS, Limits, Projection, settle
from turnwire_store.projecting.reading import (
    Change,
    ConversationEntry,
    Ended,
    PurgedTurn,
    Reading,
    Unknown,
    dead_letter,
    parts,
)
from turnwire_store.recalling.recent import RecentTurns
from turnwire_store.views import Generations, Views, stored

log = structlog.get_logger()

_AT_ONCE = 32
"""How many turns are read, changed or erased side by side."""

DoneT = TypeVar("DoneT")
OneT = TypeVar("OneT")


@dataclass(frozen=True)
class ProjectorPorts:
    """What the projector needs of the world."""

    log: EventLog
    feeds: Feeds
    generations: Generations
    recent: RecentTurns
    limits: Limits = DEFAULT_LIMITS


class Batches:
    """Brings the views of one generation up to the last batch."""

    def __init__(self, ports: ProjectorPorts, views: Views, position: int) -> None:
        """Go on after the entry at `position`."""
        self._ports = ports
        self._views = views
        self._projection = Projection(position, ports.limits)

    @property
    def position(self) -> int:
        """The last entry that was taken."""
        return self._projection.position

    async def take(self, batch: Sequence[Entry]) -> None:
        """Do all that a batch says.

        Raises `FeedLostError`, `LogUnavailableError`, `ViewsUnavailableError`; then the views are
        somewhere on the way, and doing it again from the last checkpoint leads to the same end.
        """
        for part in parts(batch):
            for letter in await self._take_part(self._projection.read(part)):
                await self._bury(letter)

    async def _take_part(self, reading: Reading) -> list[DeadLetter]:
        """Do what a part says, and give what has no effect."""
        ended, dead = await self._all_ended(reading)
        if ended:
            await self._write(ended)
        # Only what is there can be changed, and what is taken away was perhaps changed before.
        if reading.changes:
            dead += await self._change(reading.changes)
        if reading.purged:
            dead += await self._purge(reading.purged)
        if reading.conversations:
            dead += await self._converse(reading.conversations)
        return dead

    async def _all_ended(self, reading: Reading) -> tuple[list[Ended], list[DeadLetter]]:
        if not reading.unknown:
            return reading.ended, reading.dead
        settled = await _side_by_side(self._settle, reading.unknown)
        found = [one for one in settled if isinstance(one, Ended)]
        dead = [one for one in settled if isinstance(one, DeadLetter)]
        ended = sorted([*reading.ended, *found], key=lambda one: one.sequence)
        return ended, [*reading.dead, *dead]

    async def _write(self, ended: list[Ended]) -> None:
        placement = self._projection.placement
        if strangers := self._projection.strangers(ended):
            placement.learn(await self._views.standings(strangers))
        written = self._projection.views(ended)
        with _span(ended):
            await self._views.write(written)
        for view in written:
            self._ports.recent.put(stored(view))
        placement.trim()

    async def _change(self, changes: Mapping[ResponseId, list[Change]]) -> list[DeadLetter]:
        dead: list[DeadLetter | None] = []
        # Turns may be large, so only some are held at once.
        for ids in _bunches(changes):
            kept = await self._views.revisable(ids)
            revisions = [revise(one, kept[one], changes[one]) for one in ids if one in kept]
            if news := [revision for revision in revisions if revision is not None]:
                await self._views.revise(news)
            for one in ids:
                self._ports.recent.outdate(one)
            # One without a view may be purged: then this came too late, and must go as well.
            late = [changes[one][-1] for one in ids if one not in kept]
            dead += await _side_by_side(self._erase_turn, late)
        return [letter for letter in dead if letter is not None]

    async def _purge(self, purged: Mapping[ResponseId, PurgedTurn]) -> list[DeadLetter]:
        await self._views.remove(list(purged))
        self._projection.placement.forget()
        for one in purged:
            self._ports.recent.outdate(one)
        letters = await _side_by_side(self._erase_turn, purged.values())
        return [letter for letter in letters if letter is not None]

    async def _converse(self, entries: list[ConversationEntry]) -> list[DeadLetter]:
        views = self._views.conversations
        ids = {one.conversation_id for one in entries}
        told = converse(entries, await views.find(ids))
        if told.written:
            await views.write(told.written)
        if told.gone:
            await views.remove([one.conversation_id for one in told.gone])
        letters = await _side_by_side(self._erase_conversation, told.gone)
        return [*told.dead, *(letter for letter in letters if letter is not None)]

    async def _erase_turn(self, of: Change | PurgedTurn) -> DeadLetter | None:
        try:
            event = of.event
            await erase_turn(self._ports.log, event.tenant, event.response_id, of.entry.sequence)
        except UnreadableEventError as error:
            return dead_letter(of.entry, error)
        return None

    async def _erase_conversation(self, gone: Gone) -> DeadLetter | None:
        try:
            await erase_conversation(
                self._ports.log, gone.tenant, gone.conversation_id, gone.entry.sequence
            )
        except UnreadableEventError as error:
            return dead_letter(gone.entry, error)
        return None

    async def _settle(self, unknown: Unknown) -> Ended | DeadLetter | None:
        try:
            recorded = await self._ports.log.read(unknown.tenant, unknown.response_id)
            return settle(unknown, recorded)
        except (UnreadableEventError, ImpossibleEventError) as error:
            return dead_letter(unknown.closing, error)

    async def _bury(self, letter: DeadLetter) -> None:
        log.error(
            "entry without effect",
            subject=letter.subject,
            sequence=letter.sequence,
            reason=letter.reason,
            about=letter.about,
        )
        DEAD_LETTERS().inc()
        await self._ports.feeds.bury(letter)


def _span(ended: Sequence[Ended]) -> spans.Span:
    """Begin a span of many turns: it belongs to no trace of theirs, and links those."""
    if spans.TRACING.exporter is None:
        return spans.NOTHING
    told = (trace_context.parse(one.turn.request.traceparent) for one in ended)
    span = spans.linked(names.PROJECT, "CONSUMER", [where for where in told if where is not None])
    span.set(names.EVENTS, len(ended))
    return span


async def _side_by_side(
    do: Callable[[OneT], Awaitable[DoneT]], over: Iterable[OneT]
) -> list[DoneT]:
    places = asyncio.Semaphore(_AT_ONCE)

    async def do_one(one: OneT) -> DoneT:
        async with places:
            return await do(one)

    return await asyncio.gather(*map(do_one, over))


def _bunches(of: Iterable[OneT]) -> Iterator[list[OneT]]:
    left = iter(of)
    while bunch := list(islice(left, _AT_ONCE)):
        yield bunch
