"""From entries of the log to views: pure, so that any batching gives the same views."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from turnwire_chassis.event_log import Recorded
from turnwire_contracts.codec import UnreadableEventError
from turnwire_contracts.events import Closed, Deleted, ItemRemoved, Purged, Restored
from turnwire_contracts.ids import ResponseId
from turnwire_contracts.turn import ClosedTurn, ImpossibleEventError, fold
from turnwire_store.feeding.feed import Entry
from turnwire_store.projecting.open_turns import OpenTurns
from turnwire_store.projecting.placement import Placement
from turnwire_store.projecting.reading import (
    Change,
    ConversationEntry,
    Ended,
    PurgedTurn,
    Reading,
    Unknown,
    conversation_event,
    dead_letter,
    is_of_conversation,
    turn_event,
    unreadable,
)
from turnwire_store.views import View

MAX_TURN_BYTES: Final = 15 * 1024 * 1024
"""MongoDB: a document has at most 16 MB. A larger turn has no view and is read from the log."""

_OPEN_BYTES: Final = 64 * 1024 * 1024
_STANDINGS: Final = 50_000
_ENCODER = msgspec.json.Encoder()


class Limits(Struct, frozen=True):
    """How much is remembered between batches; it changes what is read, never what is written."""

    open_bytes: int = _OPEN_BYTES
    standings: int = _STANDINGS


DEFAULT_LIMITS: Final = Limits()


class Projection:
    """Reads the log in its order from a position on."""

    def __init__(self, position: int, limits: Limits = DEFAULT_LIMITS) -> None:
        """Start after the entry at `position`."""
        self.position = position
        self._open = OpenTurns(limits.open_bytes)
        self._placement = Placement(limits.standings)

    def read(self, entries: Iterable[Entry]) -> Reading:
        """Take entries; those up to the position were read before and say nothing."""
        reading = Reading([], [], {}, {}, [], [])
        for entry in entries:
            if entry.sequence <= self.position:
                continue
            self.position = entry.sequence
            if is_of_conversation(entry):
                _read_conversation(entry, reading)
                continue
            try:
                self._read_turn(entry, reading)
            except (UnreadableEventError, ImpossibleEventError) as error:
                reading.dead.append(dead_letter(entry, error))
        return reading

    def strangers(self, ended: Iterable[Ended]) -> set[ResponseId]:
        """Name the parents whose standing only the views can tell."""
        parents = {one.turn.request.previous_response_id for one in ended}
        own = {one.turn.request.response_id for one in ended}
        return {
            parent
            for parent in parents
            if parent is not None and parent not in own and not self._placement.knows(parent)
        }

    @property
    def placement(self) -> Placement:
        """Where turns stand; strangers are to be learned before `views`."""
        return self._placement

    def views(self, ended: Sequence[Ended]) -> list[View]:
        """Write the views of turns, given in the order in which they ended."""
        views = [self._view(one) for one in ended]
        return [view for view in views if view is not None]

    def _read_turn(self, entry: Entry, reading: Reading) -> None:
        event = turn_event(entry)
        match event:
            case Closed(stored=False):
                self._open.forget(event.response_id)
                return
            case Deleted() | Restored() | ItemRemoved():
                change = Change(entry, event)
                reading.changes.setdefault(event.response_id, []).append(change)
                return
            case Purged():
                self._open.forget(event.response_id)
                reading.purged[event.response_id] = PurgedTurn(entry, event)
                return
            case _:
                pass
        turn = self._open.fold(event, len(entry.body))
        if turn is not None:
            reading.ended.append(Ended(entry.sequence, turn))
        elif isinstance(event, Closed):
            reading.unknown.append(Unknown(event.tenant, event.response_id, entry))

    def _view(self, ended: Ended) -> View | None:
        request, closed = ended.turn.request, ended.turn.closed
        turn = _ENCODER.encode(ended.turn)
        if len(turn) > MAX_TURN_BYTES:
            return None
        placed = self._placement.place(
            request.response_id,
            request.previous_response_id,
            ended.sequence,
            request.conversation,
            request.owner,
        )
        return View(
            response_id=request.response_id,
            tenant=request.tenant,
            owner=request.owner,
            sequence=ended.sequence,
            status=closed.status,
            model=request.model,
            created_at=request.at,
            closed_at=closed.at,
            parent=request.previous_response_id,
            place=placed.place,
            fork=placed.fork,
            turn=turn.decode(),
            conversation=placed.conversation,
        )


def settle(unknown: Unknown, recorded: Sequence[Recorded]) -> Ended | None:
    """Judge a turn by its own log up to its end; one that was erased has no view.

    Raises `ImpossibleEventError`.
    """
    last = unknown.closing.sequence
    turn = fold([one.event for one in recorded if one.sequence <= last])
    return Ended(last, turn) if isinstance(turn, ClosedTurn) else None


def _read_conversation(entry: Entry, reading: Reading) -> None:
    try:
        event = conversation_event(entry)
    except UnreadableEventError as error:
        reading.dead.append(dead_letter(entry, error))
        if (unread := unreadable(entry)) is not None:
            reading.conversations.append(unread)
        return
    about = ConversationEntry(entry, event.tenant, event.conversation_id, event)
    reading.conversations.append(about)
