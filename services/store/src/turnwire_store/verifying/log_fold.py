"""What the views must say, by the log alone: `evolve` over its entries, with no projection. Pure.

It is the oracle of the projection, so it shares nothing with it but the fold of a turn.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress

import msgspec

from turnwire_chassis.event_log import Recorded
from turnwire_contracts import codec, subjects
from turnwire_contracts.codec import UnreadableEventError
from turnwire_contracts.events import AnyEvent, CancelRequested, Purged, TurnUpdate
from turnwire_contracts.ids import ConversationId, ResponseId, TenantId
from turnwire_contracts.turn import ImpossibleEventError, evolve
from turnwire_contracts.turn_state import ClosedTurn, Erased, NotRequested, Turn
from turnwire_store.feed import FeedEntry
from turnwire_store.projecting.view_builder import MAX_TURN_BYTES
from turnwire_store.verifying.digest import Projection
from turnwire_store.views import ConversationView, follow


class LogFold:
    """Folds the entries of a log in their order.

    A turn that has ended is kept as its fingerprint. One that changes later has to be read once
    more and given to `settle`, so that memory grows with the number of turns and not their content.
    """

    def __init__(self) -> None:
        self.projection = Projection()
        self.entries = 0
        self.changed: dict[ResponseId, TenantId] = {}
        """Turns that changed after their end; to be settled when all entries are taken."""
        self.unreadable: dict[str, str] = {}
        """The ids of which an entry cannot be read or cannot follow, and why."""
        self.last: dict[str, int] = {}
        """By the id of each turn and conversation: the sequence of its last entry."""
        self._running: dict[ResponseId, Turn] = {}
        self._over: set[ResponseId] = set()
        """Turns that have a view, or that nothing can give one any more."""
        self._conversations: dict[ConversationId, ConversationView | None] = {}

    def take(self, entries: Iterable[FeedEntry]) -> None:
        """Take the next entries."""
        for entry in entries:
            self.entries += 1
            self.last[about(entry.subject)] = entry.sequence
            try:
                if codec.is_of_conversation(entry.subject):
                    self._take_conversation(entry)
                else:
                    event = codec.read_turn_event(entry.subject, entry.body)
                    self._take_turn(entry.sequence, event)
            except (UnreadableEventError, ImpossibleEventError) as error:
                reason = f"{type(error).__name__}: {error}"
                self.unreadable.setdefault(about(entry.subject), reason)

    def settle(self, recorded: Sequence[Recorded]) -> None:
        """Take all that the log has of a turn that changed after its end."""
        ended: int | None = None
        turn: Turn = NotRequested()
        for one in recorded:
            try:
                turn = evolve(turn, one.event)
            except ImpossibleEventError:
                # Counted when it was taken; what has ended stays as it is.
                continue
            if ended is None and isinstance(turn, ClosedTurn):
                ended = one.sequence
        if ended is not None and isinstance(turn, ClosedTurn) and _has_view(turn):
            self.projection.add_turn(ended, turn)

    def _take_turn(self, sequence: int, event: AnyEvent) -> None:
        response_id = event.response_id
        if response_id in self._over:
            self._take_late(event)
            return
        turn = evolve(self._running.get(response_id, NotRequested()), event)
        match turn:
            case ClosedTurn():
                self._end(response_id)
                if _has_view(turn):
                    self.projection.add_turn(sequence, turn)
            case Erased():
                self._end(response_id)
            case _:
                self._running[response_id] = turn

    def _take_late(self, event: AnyEvent) -> None:
        """Take an event of a turn that is over."""
        is_kept = event.response_id in self.projection.turns
        if isinstance(event, Purged):
            self.projection.turns.pop(event.response_id, None)
            self.changed.pop(event.response_id, None)
        elif isinstance(event, TurnUpdate):
            if is_kept:
                self.changed[event.response_id] = event.tenant
        elif is_kept and not isinstance(event, CancelRequested):
            # A cancellation may come too late; whatever else there is cannot.
            raise ImpossibleEventError("a turn closes once")

    def _end(self, response_id: ResponseId) -> None:
        self._running.pop(response_id, None)
        self._over.add(response_id)

    def _take_conversation(self, entry: FeedEntry) -> None:
        conversation_id = ConversationId(about(entry.subject))
        former = self._conversations.get(conversation_id)
        event, fault = None, None
        try:
            event = codec.read_conversation_event(entry.subject, entry.body)
            view = follow(former, entry.sequence, event)
        except (UnreadableEventError, ImpossibleEventError) as error:
            fault = error
            view = follow(former, entry.sequence, None)
        self._conversations[conversation_id] = view
        if view is None:
            self.projection.conversations.pop(conversation_id, None)
        else:
            self.projection.add_conversation(view)
        if fault is not None:
            raise fault


def recorded_in(entries: Iterable[FeedEntry], response_id: ResponseId) -> list[Recorded]:
    """Give the events of one turn in a log that is at hand; what cannot be read is left out."""
    found: list[Recorded] = []
    for entry in entries:
        if about(entry.subject) == response_id:
            with suppress(UnreadableEventError):
                event = codec.read_turn_event(entry.subject, entry.body)
                found.append(Recorded(entry.sequence, event))
    return found


def about(subject: str) -> str:
    """Name the turn or conversation that an entry is about; `unknown` if its subject does not."""
    try:
        if codec.is_of_conversation(subject):
            return subjects.parse_conversation_event(subject)[1]
        return subjects.parse_turn_event(subject)[1]
    except ValueError:
        return "unknown"


def _has_view(turn: ClosedTurn) -> bool:
    return turn.closed.stored and len(msgspec.json.encode(turn)) <= MAX_TURN_BYTES
