"""Brings the views of one generation up with the log, batch by batch: what a batch leads to.

A batch is only how much was read at once. What is written depends on the log alone: not on where
batches are cut, on how often a part of it was written before, or on what is still remembered.

A batch is cut behind the purges that take a view away: where a turn stands depends on which other
turns have a view when it ends, so inside a part none is taken away before another one ends.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import structlog

from turnwire_chassis.concurrency import gather_bounded
from turnwire_chassis.event_log import EventLog
from turnwire_chassis.storage_space import ANYWHERE, StorageSpace
from turnwire_chassis.telemetry import names, spans, trace_context
from turnwire_chassis.telemetry.metrics import DEAD_LETTERS
from turnwire_contracts import subjects
from turnwire_contracts.administration.dead_letters import DeadLetter
from turnwire_contracts.codec import UnreadableEventError
from turnwire_contracts.ids import ResponseId
from turnwire_contracts.turn import ImpossibleEventError
from turnwire_store.chain_position import ChainStatus
from turnwire_store.feed import MOST_IN_A_BATCH, FeedEntry, Feeds
from turnwire_store.listing import RunningTurn, running_summary
from turnwire_store.projecting.changing import PurgedConversation, converse, revise
from turnwire_store.projecting.erasing import erase_conversation, erase_turn
from turnwire_store.projecting.log_excerpt import (
    ENDS,
    PURGED,
    Change,
    ConversationEntry,
    EndedTurn,
    LogExcerpt,
    PurgedTurn,
    UnknownTurn,
    dead_letter,
    parts,
    taken_away,
    turns_with,
)
from turnwire_store.projecting.view_builder import (
    DEFAULT_LIMITS,
    ProjectionLimits,
    ViewBuilder,
    settle,
)
from turnwire_store.recent_turns import RecentTurns, stored
from turnwire_store.views import Generations, Views

log = structlog.get_logger()

_AT_ONCE = 32
"""How many turns are read, changed or erased side by side."""

GoneT = TypeVar("GoneT", PurgedTurn, PurgedConversation)


@dataclass(frozen=True)
class ProjectorPorts:
    """What the projector needs of the world."""

    log: EventLog
    feeds: Feeds
    generations: Generations
    recent: RecentTurns
    limits: ProjectionLimits = DEFAULT_LIMITS
    space: StorageSpace = ANYWHERE


class ProjectionBatches:
    """Brings the views of one generation up to the last batch."""

    def __init__(self, ports: ProjectorPorts, views: Views, position: int) -> None:
        """Go on after the entry at `position`."""
        self._ports = ports
        self._views = views
        self._view_builder = ViewBuilder(position, ports.limits)
        self._maybe_written = MOST_IN_A_BATCH
        """So many entries from the start on may have been written by a predecessor."""
        self._written: Mapping[ResponseId, ChainStatus] = {}
        self._taken: set[ResponseId] = set()

    @property
    def position(self) -> int:
        """The last entry that was taken."""
        return self._view_builder.position

    async def take(self, batch: Sequence[FeedEntry]) -> None:
        """Do all that a batch says.

        Raises `FeedLostError`, `LogUnavailableError`, `ViewsUnavailableError`; then the views are
        somewhere on the way, and doing it again from the last checkpoint leads to the same end.
        """
        self._written = await self._written_before(batch)
        self._taken = await self._taken_away(batch)
        for part in parts(batch, self._taken):
            letters = await self._take_part(self._view_builder.read(part))
            # Side by side: a flood of them would keep the views behind for minutes.
            await gather_bounded(self._keep_dead_letter, letters, _AT_ONCE)

    async def _written_before(self, batch: Sequence[FeedEntry]) -> Mapping[ResponseId, ChainStatus]:
        """Tell which turns of a batch have views already, and where those stand.

        A predecessor may have written a batch and not its checkpoint. Some of it may be purged by
        now, so that what came after it would be placed differently if it was placed once more.
        """
        if self._maybe_written <= 0:
            return {}
        self._maybe_written -= len(batch)
        return await self._views.chain_statuses(turns_with(batch, ENDS))

    async def _taken_away(self, batch: Sequence[FeedEntry]) -> set[ResponseId]:
        purged = turns_with(batch, {PURGED})
        return taken_away(batch, await self._views.existing(purged)) if purged else set()

    async def _take_part(self, reading: LogExcerpt) -> list[DeadLetter]:
        """Do what a part says, and give what has no effect."""
        ended, dead = await self._all_ended(reading)
        if ended:
            await self._write(ended)
        await self._note_running(reading)
        # Only what is there can be changed, and what is taken away was perhaps changed before.
        if reading.changes:
            dead += await self._change(reading.changes)
        if reading.purged:
            dead += await self._purge(reading.purged)
        if reading.conversations:
            dead += await self._converse(reading.conversations)
        return dead

    async def _all_ended(self, reading: LogExcerpt) -> tuple[list[EndedTurn], list[DeadLetter]]:
        if not reading.unknown:
            return reading.ended, reading.dead
        settled = await gather_bounded(self._settle, reading.unknown, _AT_ONCE)
        found = [one for one in settled if isinstance(one, EndedTurn)]
        dead = [one for one in settled if isinstance(one, DeadLetter)]
        ended = sorted([*reading.ended, *found], key=lambda one: one.sequence)
        return ended, [*reading.dead, *dead]

    async def _write(self, ended: list[EndedTurn]) -> None:
        chain_positions = self._view_builder.chain_positions
        if unknown_parents := self._view_builder.unknown_parents(ended):
            chain_positions.learn(await self._views.chain_statuses(unknown_parents))
        written = self._view_builder.views(ended, self._written)
        if written:
            with _span(ended):
                await self._views.write(written)
        for view in written:
            self._ports.recent.put(stored(view))
        chain_positions.trim()

    async def _note_running(self, reading: LogExcerpt) -> None:
        """List what runs longer than a batch is gathered; most turns are over by then."""
        if reading.over:
            await self._views.running.remove(reading.over)
        if reading.begun:
            begun = [
                RunningTurn(
                    each.request.tenant, each.sequence, running_summary(each.request, started=False)
                )
                for each in reading.begun.values()
            ]
            await self._views.running.write(begun)

    async def _change(self, changes: Mapping[ResponseId, list[Change]]) -> list[DeadLetter]:
        dead: list[DeadLetter | None] = []
        # Turns may be large, so only some are held at once.
        for start in range(0, len(changes), _AT_ONCE):
            ids = list(islice(changes, start, start + _AT_ONCE))
            kept = await self._views.revisable(ids)
            revisions = [revise(one, kept[one], changes[one]) for one in ids if one in kept]
            if news := [revision for revision in revisions if revision is not None]:
                await self._views.revise(news)
            for one in ids:
                self._ports.recent.outdate(one)
            # One without a view may be purged: then this came too late, and must go as well.
            late = [changes[one][-1] for one in ids if one not in kept]
            dead += await gather_bounded(self._erase_turn, late, _AT_ONCE)
        return [letter for letter in dead if letter is not None]

    async def _purge(self, purged: Mapping[ResponseId, PurgedTurn]) -> list[DeadLetter]:
        # Most of an old log's purges are of turns that never had a view here.
        if there := self._taken.intersection(purged):
            await self._views.remove(there)
            self._view_builder.chain_positions.forget(there)
        for one in purged:
            self._ports.recent.outdate(one)
        left = await self._unerased({_subjects_of(one): one for one in purged.values()})
        letters = await gather_bounded(self._erase_turn, left, _AT_ONCE)
        return [letter for letter in letters if letter is not None]

    async def _converse(self, entries: list[ConversationEntry]) -> list[DeadLetter]:
        views = self._views.conversations
        ids = {one.conversation_id for one in entries}
        changes = converse(entries, await views.find(ids))
        if changes.written:
            await views.write(changes.written)
        if changes.gone:
            await views.remove([one.conversation_id for one in changes.gone])
        gone = {subjects.conversation(one.tenant, one.conversation_id): one for one in changes.gone}
        left = await self._unerased(gone)
        letters = await gather_bounded(self._erase_conversation, left, _AT_ONCE)
        return [*changes.dead, *(letter for letter in letters if letter is not None)]

    async def _unerased(self, purges: Mapping[str, GoneT]) -> list[GoneT]:
        """Give those of which the log has more than their purge: one question for all of them."""
        if not purges:
            return []
        sequences = {about: one.entry.sequence for about, one in purges.items()}
        left = await self._ports.feeds.unerased(sequences)
        return [one for about, one in purges.items() if about in left]

    async def _erase_turn(self, of: Change | PurgedTurn) -> DeadLetter | None:
        try:
            event = of.event
            await erase_turn(self._ports.log, event.tenant, event.response_id, of.entry.sequence)
        except UnreadableEventError as error:
            return dead_letter(of.entry, error)
        return None

    async def _erase_conversation(self, gone: PurgedConversation) -> DeadLetter | None:
        try:
            await erase_conversation(
                self._ports.log, gone.tenant, gone.conversation_id, gone.entry.sequence
            )
        except UnreadableEventError as error:
            return dead_letter(gone.entry, error)
        return None

    async def _settle(self, unknown: UnknownTurn) -> EndedTurn | DeadLetter | None:
        try:
            recorded = await self._ports.log.read(unknown.tenant, unknown.response_id)
            return settle(unknown, recorded)
        except (UnreadableEventError, ImpossibleEventError) as error:
            return dead_letter(unknown.closing, error)

    async def _keep_dead_letter(self, letter: DeadLetter) -> None:
        log.error(
            "entry without effect",
            subject=letter.subject,
            sequence=letter.sequence,
            reason=letter.reason,
            about=letter.about,
        )
        DEAD_LETTERS().inc()
        await self._ports.feeds.keep_dead_letter(letter)


def _span(ended: Sequence[EndedTurn]) -> spans.Span:
    """Begin a span of many turns: it belongs to no trace of theirs, and links those."""
    if spans.TRACING.exporter is None:
        return spans.NOTHING
    contexts = (trace_context.parse(one.turn.request.traceparent) for one in ended)
    span = spans.linked(
        names.PROJECT, "CONSUMER", [where for where in contexts if where is not None]
    )
    span.set(names.EVENTS, len(ended))
    return span


def _subjects_of(purged: PurgedTurn) -> str:
    return subjects.turn(purged.event.tenant, purged.event.response_id)
