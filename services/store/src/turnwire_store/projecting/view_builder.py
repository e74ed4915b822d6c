"""From entries of the log to views: pure, so that any batching gives the same views."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, assert_never

import msgspec
from msgspec import Struct

from turnwire_chassis.event_log import Recorded
from turnwire_contracts import codec
from turnwire_contracts.codec import UnreadableEventError
from turnwire_contracts.events import (
    AnyEvent,
    CancelRequested,
    Closed,
    Deleted,
    ItemRemoved,
    ItemsAdded,
    Purged,
    Requested,
    Restored,
    Sampled,
    Screened,
    Started,
    TakenOver,
    ToolCalled,
    ToolReturned,
    ToolsListed,
)
from turnwire_contracts.ids import ResponseId
from turnwire_contracts.inspecting.approvals import answered_approvals, approval_requests
from turnwire_contracts.turn import ImpossibleEventError, evolve, fold
from turnwire_contracts.turn_state import (
    ClosedTurn,
    Erased,
    NotRequested,
    RefusedByGuard,
    Sampling,
    Screening,
)
from turnwire_store.chain_position import ChainPositions, ChainStatus
from turnwire_store.feed import FeedEntry
from turnwire_store.listing import ended_summary
from turnwire_store.projecting.log_excerpt import (
    BegunTurn,
    Change,
    ConversationEntry,
    EndedTurn,
    LogExcerpt,
    PurgedTurn,
    UnknownTurn,
    dead_letter,
    unreadable,
)
from turnwire_store.views import View

MAX_TURN_BYTES: Final = 15 * 1024 * 1024
"""MongoDB: a document has at most 16 MB. A larger turn has no view and is read from the log."""

_OPEN_BYTES: Final = 64 * 1024 * 1024
_CHAIN_STATUSES: Final = 50_000
_ENCODER = msgspec.json.Encoder()
_NONE: Final[Mapping[ResponseId, ChainStatus]] = {}


class ProjectionLimits(Struct, frozen=True):
    """How much is remembered between batches; it changes what is read, never what is written."""

    open_bytes: int = _OPEN_BYTES
    chain_statuses: int = _CHAIN_STATUSES


DEFAULT_LIMITS: Final = ProjectionLimits()


Open = Screening | Sampling | RefusedByGuard


class _Held(Struct):
    turn: Open
    size: int
    began: int


class OpenTurns:
    """Folds the events of all turns that have begun and not ended, as they come.

    Nothing depends on this memory: a turn that is not here when it ends is read from the log.
    """

    def __init__(self, limit_bytes: int) -> None:
        """Keep about `limit_bytes` of events; the oldest turns are forgotten first."""
        self._limit = limit_bytes
        self._size = 0
        self._held: OrderedDict[ResponseId, _Held] = OrderedDict()

    def fold(self, sequence: int, event: AnyEvent, size: int) -> EndedTurn | None:
        """Take an event of `size` bytes; gives the turn if it is known here and ends with it.

        Raises `ImpossibleEventError`; the turn is then forgotten, so that the log decides.
        """
        held = self._held.get(event.response_id)
        if held is None and not isinstance(event, Requested | ItemsAdded):
            return None
        try:
            turn = evolve(NotRequested() if held is None else held.turn, event)
        except ImpossibleEventError:
            self.forget(event.response_id)
            raise
        match turn:
            case ClosedTurn():
                self.forget(event.response_id)
                return EndedTurn(sequence, turn, sequence if held is None else held.began)
            case Screening() | Sampling() | RefusedByGuard():
                self._hold(event.response_id, turn, size, sequence)
            case NotRequested() | Erased():
                # Neither can follow what is held or a request.
                self.forget(event.response_id)
        return None

    def forget(self, response_id: ResponseId) -> None:
        """Let go of a turn; one that is not here is fine."""
        held = self._held.pop(response_id, None)
        if held is not None:
            self._size -= held.size

    def _hold(self, response_id: ResponseId, turn: Open, size: int, sequence: int) -> None:
        held = self._held.get(response_id)
        if held is None:
            self._held[response_id] = _Held(turn, size, sequence)
        else:
            held.turn = turn
            held.size += size
        self._size += size
        while self._size > self._limit:
            _, oldest = self._held.popitem(last=False)
            self._size -= oldest.size


class ViewBuilder:
    """Reads the log in its order from a position on."""

    def __init__(self, position: int, limits: ProjectionLimits = DEFAULT_LIMITS) -> None:
        """Start after the entry at `position`."""
        self.position = position
        self._open = OpenTurns(limits.open_bytes)
        self._chain_positions = ChainPositions(limits.chain_statuses)

    def read(self, entries: Iterable[FeedEntry]) -> LogExcerpt:
        """Take entries; those up to the position were read before and say nothing."""
        reading = LogExcerpt({}, [], [], [], {}, {}, [], [])
        for entry in entries:
            if entry.sequence <= self.position:
                continue
            self.position = entry.sequence
            if codec.is_of_conversation(entry.subject):
                _read_conversation(entry, reading)
                continue
            try:
                self._read_turn(entry, reading)
            except (UnreadableEventError, ImpossibleEventError) as error:
                reading.dead.append(dead_letter(entry, error))
        return reading

    def unknown_parents(self, ended: Iterable[EndedTurn]) -> set[ResponseId]:
        """Name the parents whose chain status only the views can tell."""
        parents = {one.turn.request.previous_response_id for one in ended}
        own = {one.turn.request.response_id for one in ended}
        return {
            parent
            for parent in parents
            if parent is not None and parent not in own and not self._chain_positions.knows(parent)
        }

    @property
    def chain_positions(self) -> ChainPositions:
        """Where turns stand; `unknown_parents` are to be learned before `views`."""
        return self._chain_positions

    def views(
        self, ended: Sequence[EndedTurn], written: Mapping[ResponseId, ChainStatus] = _NONE
    ) -> list[View]:
        """Write the views of turns, given in the order in which they ended.

        Those that are `written` already stand where they stand.
        """
        views: list[View] = []
        for one in ended:
            request = one.turn.request
            if (status := written.get(request.response_id)) is not None:
                self._chain_positions.find(
                    request.response_id, request.previous_response_id, status
                )
            elif (view := self._view(one)) is not None:
                views.append(view)
        return views

    def _read_turn(self, entry: FeedEntry, reading: LogExcerpt) -> None:
        event = codec.read_turn_event(entry.subject, entry.body)
        match event:
            case Closed(stored=False):
                self._open.forget(event.response_id)
                reading.end(event.response_id)
            case Closed():
                reading.end(event.response_id)
                if not self._fold(entry, event, reading):
                    reading.unknown.append(UnknownTurn(event.tenant, event.response_id, entry))
            case Requested():
                self._fold(entry, event, reading)
                reading.begun.setdefault(event.response_id, BegunTurn(entry.sequence, event))
            case Started() | ItemsAdded() | Screened() | TakenOver():
                self._fold(entry, event, reading)
            case ToolsListed() | Sampled() | ToolCalled() | ToolReturned() | CancelRequested():
                self._fold(entry, event, reading)
            case Deleted() | Restored() | ItemRemoved():
                change = Change(entry, event)
                reading.changes.setdefault(event.response_id, []).append(change)
            case Purged():
                self._open.forget(event.response_id)
                reading.end(event.response_id)
                reading.purged[event.response_id] = PurgedTurn(entry, event)
            case _:
                assert_never(event)

    def _fold(self, entry: FeedEntry, event: AnyEvent, reading: LogExcerpt) -> bool:
        """Fold an event of a turn that is not over; tells whether the turn is known and ends."""
        ended = self._open.fold(entry.sequence, event, len(entry.body))
        if ended is None:
            return False
        reading.ended.append(ended)
        return True

    def _view(self, ended: EndedTurn) -> View | None:
        request, closed = ended.turn.request, ended.turn.closed
        turn = _ENCODER.encode(ended.turn)
        if len(turn) > MAX_TURN_BYTES:
            return None
        placed = self._chain_positions.place(
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
            asks=tuple(item["id"] for item in approval_requests(ended.turn)),
            answers=answered_approvals(ended.turn),
            began=ended.began,
            summary=ended_summary(ended.turn) if ended.turn.is_response else None,
        )


def settle(unknown: UnknownTurn, recorded: Sequence[Recorded]) -> EndedTurn | None:
    """Judge a turn by its own log up to its end; one that was erased has no view.

    Raises `ImpossibleEventError`.
    """
    last = unknown.closing.sequence
    turn = fold([one.event for one in recorded if one.sequence <= last])
    return EndedTurn(last, turn, recorded[0].sequence) if isinstance(turn, ClosedTurn) else None


def _read_conversation(entry: FeedEntry, reading: LogExcerpt) -> None:
    try:
        event = codec.read_conversation_event(entry.subject, entry.body)
    except UnreadableEventError as error:
        reading.dead.append(dead_letter(entry, error))
        if (unread := unreadable(entry)) is not None:
            reading.conversations.append(unread)
        return
    about = ConversationEntry(entry, event.tenant, event.conversation_id, event)
    reading.conversations.append(about)
