"""What a batch of entries says, before anything is done about it."""

from msgspec import Struct

from turnwire_contracts import codec, subjects
from turnwire_contracts.conversation_events import AnyConversationEvent
from turnwire_contracts.dead_letters import DeadLetter
from turnwire_contracts.events import Purged, TurnUpdate
from turnwire_contracts.ids import ConversationId, ResponseId, TenantId
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_store.feed import FeedEntry


class EndedTurn(Struct, frozen=True):
    """A turn that is to have a view."""

    sequence: int
    turn: ClosedTurn


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

    ended: list[EndedTurn]
    unknown: list[UnknownTurn]
    changes: dict[ResponseId, list[Change]]
    purged: dict[ResponseId, PurgedTurn]
    conversations: list[ConversationEntry]
    dead: list[DeadLetter]


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
