"""What a batch of entries says, before anything is done about it, and where it is cut."""

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from msgspec import Struct

from turnwire_contracts import codec, subjects
from turnwire_contracts.administration.dead_letters import DeadLetter
from turnwire_contracts.conversation_events import AnyConversationEvent
from turnwire_contracts.event_kinds import TURN_EVENT_KINDS
from turnwire_contracts.events import Closed, ItemsAdded, Purged, Requested, TurnUpdate
from turnwire_contracts.ids import ConversationId, ResponseId, TenantId
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_store.feed import FeedEntry

ENDS: Final = {kind for kind, row in TURN_EVENT_KINDS.items() if row.event in (Closed, ItemsAdded)}
PURGED: Final = "purged"


class EndedTurn(Struct, frozen=True):
    """A turn that is to have a view."""

    sequence: int
    turn: ClosedTurn
    began: int = 0
    """The place in the log of its request."""


class BegunTurn(Struct, frozen=True):
    """A turn that was requested and has not ended."""

    sequence: int
    request: Requested


class UnknownTurn(Struct, frozen=True):
    """A turn that has ended and whose beginning is not remembered: the log has it."""

    tenant: TenantId
    response_id: ResponseId
    closing: FeedEntry


class Change(Struct, frozen=True):
    """Something that happened to a turn after its end."""

    entry: FeedEntry
    event: TurnUpdate


class PurgedTurn(Struct, frozen=True):
    """A turn of which nothing may stay but this entry."""

    entry: FeedEntry
    event: Purged


class ConversationEntry(Struct, frozen=True):
    """Something that happened to a conversation; without an event it could not be read."""

    entry: FeedEntry
    tenant: TenantId
    conversation_id: ConversationId
    event: AnyConversationEvent | None


class LogExcerpt(Struct, frozen=True):
    """What a part of the log says."""

    begun: dict[ResponseId, BegunTurn]
    """Turns that were requested in it, and do not end in it."""
    over: list[ResponseId]
    """Turns that end or are purged in it, and were requested before."""
    ended: list[EndedTurn]
    unknown: list[UnknownTurn]
    changes: dict[ResponseId, list[Change]]
    purged: dict[ResponseId, PurgedTurn]
    conversations: list[ConversationEntry]
    dead: list[DeadLetter]

    def end(self, response_id: ResponseId) -> None:
        """Note that a turn is over."""
        if self.begun.pop(response_id, None) is None:
            self.over.append(response_id)


def unreadable(entry: FeedEntry) -> ConversationEntry | None:
    """Name the conversation that an entry is about which cannot be read, if its subject does."""
    try:
        tenant, conversation_id, _ = subjects.parse_conversation_event(entry.subject)
    except ValueError:
        return None
    return ConversationEntry(entry, tenant, conversation_id, None)


def dead_letter(entry: FeedEntry, error: Exception) -> DeadLetter:
    """Say why an entry has no effect."""
    reason = f"{type(error).__name__}: {error}"
    return DeadLetter(entry.subject, entry.sequence, reason, _about(entry))


def _about(entry: FeedEntry) -> ResponseId | ConversationId:
    try:
        if codec.is_of_conversation(entry.subject):
            return subjects.parse_conversation_event(entry.subject)[1]
        return subjects.parse_turn_event(entry.subject)[1]
    except ValueError:
        return ResponseId("unknown")


def turns_with(batch: Sequence[FeedEntry], kinds: Collection[str]) -> set[ResponseId]:
    """Name the turns of which a batch has an entry of one of these kinds."""
    return {response_id for _, response_id, kind in _turns(batch) if kind in kinds}


def taken_away(batch: Sequence[FeedEntry], there: Collection[ResponseId]) -> set[ResponseId]:
    """Name the turns that have a view when they are purged.

    Those that are `there` before the batch, and those that end in it first. An old log is full of
    purges of turns that are neither.
    """
    ended: set[ResponseId] = set()
    taken: set[ResponseId] = set()
    for _, response_id, kind in _turns(batch):
        if kind in ENDS:
            ended.add(response_id)
        elif kind == PURGED and (response_id in there or response_id in ended):
            taken.add(response_id)
    return taken


def parts(batch: Sequence[FeedEntry], taken: Collection[ResponseId]) -> list[Sequence[FeedEntry]]:
    """Cut a batch behind the purges of those that are `taken` away."""
    ends_here = {
        at for at, response_id, kind in _turns(batch) if kind == PURGED and response_id in taken
    }
    # Purges that stand side by side are done side by side.
    cuts = [at + 1 for at in sorted(ends_here) if at + 1 not in ends_here]
    starts, ends = [0, *cuts], [*cuts, len(batch)]
    return [batch[start:end] for start, end in zip(starts, ends, strict=True) if start < end]


def _turns(batch: Sequence[FeedEntry]) -> Iterator[tuple[int, ResponseId, str]]:
    """Give the place, the turn and the kind of each entry that is of a turn by its subject."""
    for at, entry in enumerate(batch):
        if codec.is_of_conversation(entry.subject):
            continue
        try:
            _, response_id, kind = subjects.parse_turn_event(entry.subject)
        except ValueError:
            continue
        yield at, response_id, kind
