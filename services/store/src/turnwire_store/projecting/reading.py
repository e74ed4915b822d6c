"""What a batch of entries says, before anything is done about it."""

from collections.abc import Sequence

from msgspec import Struct

from turnwire_contracts import codec, subjects
from turnwire_contracts.codec import UnreadableEventError
from turnwire_contracts.conversation_events import AnyConversationEvent
from turnwire_contracts.events import AnyEvent, Deleted, ItemRemoved, Purged, Restored
from turnwire_contracts.ids import ConversationId, ResponseId, TenantId
from turnwire_contracts.turn import ClosedTurn
from turnwire_store.feeding.feed import DeadLetter, Entry

AnyChange = Deleted | Restored | ItemRemoved
"""What may happen to a turn after its end."""


class Ended(Struct, frozen=True):
    """A turn that is to have a view."""

    sequence: int
    turn: ClosedTurn


class Unknown(Struct, frozen=True):
    """A turn that has ended and whose beginning is not remembered: the log has it."""

    tenant: TenantId
    response_id: ResponseId
    closing: Entry


class Change(Struct, frozen=True):
    """Something that happened to a turn after its end."""

    entry: Entry
    event: AnyChange


class PurgedTurn(Struct, frozen=True):
    """A turn of which nothing may stay but this entry."""

    entry: Entry
    event: Purged


class ConversationEntry(Struct, frozen=True):
    """Something that happened to a conversation; without an event it could not be read."""

    entry: Entry
    tenant: TenantId
    conversation_id: ConversationId
    event: AnyConversationEvent | None


class Reading(Struct, frozen=True):
    """What a part of the log says."""

    ended: list[Ended]
    unknown: list[Unknown]
    changes: dict[ResponseId, list[Change]]
    purged: dict[ResponseId, PurgedTurn]
    conversations: list[ConversationEntry]
    dead: list[DeadLetter]


def parts(batch: Sequence[Entry]) -> list[Sequence[Entry]]:
    """Cut a batch behind those entries that take turns away.

    Where a turn stands depends on which other turns there are when it ends; inside a part no turn
    is taken away before another one ends.
    """
    cuts: list[int] = []
    for at, entry in enumerate(batch):
        if _takes_away(entry) and (at + 1 == len(batch) or not _takes_away(batch[at + 1])):
            cuts.append(at + 1)
    starts, ends = [0, *cuts], [*cuts, len(batch)]
    return [batch[start:end] for start, end in zip(starts, ends, strict=True) if start < end]


def is_of_conversation(entry: Entry) -> bool:
    """Tell whether an entry is about a conversation, as its subject says."""
    return entry.subject.startswith("conversation.")


def turn_event(entry: Entry) -> AnyEvent:
    """Read an entry about a turn; raises `UnreadableEventError`."""
    try:
        tenant, response_id, kind = subjects.parse_turn_event(entry.subject)
    except ValueError as error:
        raise UnreadableEventError(f"no subject of a turn: {entry.subject}") from error
    event = codec.decode(kind, entry.body)
    if event.response_id != response_id or event.tenant != tenant:
        raise UnreadableEventError("the body speaks of another turn than the subject")
    return event


def conversation_event(entry: Entry) -> AnyConversationEvent:
    """Read an entry about a conversation; raises `UnreadableEventError`."""
    try:
        tenant, conversation_id, kind = subjects.parse_conversation_event(entry.subject)
    except ValueError as error:
        raise UnreadableEventError(f"no subject of a conversation: {entry.subject}") from error
    event = codec.decode_conversation(kind, entry.body)
    if event.conversation_id != conversation_id or event.tenant != tenant:
        raise UnreadableEventError("the body speaks of another conversation than the subject")
    return event


def unreadable(entry: Entry) -> ConversationEntry | None:
    """Name the conversation that an entry is about which cannot be read, if its subject does."""
    try:
        tenant, conversation_id, _ = subjects.parse_conversation_event(entry.subject)
    except ValueError:
        return None
    return ConversationEntry(entry, tenant, conversation_id, None)


def dead_letter(entry: Entry, error: Exception) -> DeadLetter:
    """Say why an entry has no effect."""
    reason = f"{type(error).__name__}: {error}"
    return DeadLetter(entry.subject, entry.sequence, reason, _about(entry))


def _about(entry: Entry) -> ResponseId | ConversationId:
    try:
        if is_of_conversation(entry):
            return subjects.parse_conversation_event(entry.subject)[1]
        return subjects.parse_turn_event(entry.subject)[1]
    except ValueError:
        return ResponseId("unknown")


def _takes_away(entry: Entry) -> bool:
    return entry.subject.endswith(".purged") and not is_of_conversation(entry)
