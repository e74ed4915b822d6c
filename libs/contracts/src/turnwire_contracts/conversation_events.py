"""The facts about a conversation: what it is called, and which turn was made in it last.

Their subjects are `conversation.<tenant>.<conversation_id>.<kind>`, in the same log as the turns;
what was said stands in the turns' own events.
"""

from msgspec import Struct

from turnwire_contracts.ids import ConversationId, OwnerId, ResponseId, TenantId


class ConversationEvent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The fields of every event of a conversation."""

    v: int
    """The schema version of this kind of event."""
    tenant: TenantId
    conversation_id: ConversationId
    at: int
    """When it happened: Unix time in milliseconds."""
    cause: str
    """The `x-request-id` of the request that led to it."""


class ConversationCreated(ConversationEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A conversation was created."""

    owner: OwnerId
    metadata: dict[str, str] = {}


class ConversationUpdated(ConversationEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The metadata of the conversation was replaced."""

    metadata: dict[str, str]


class TurnAdded(ConversationEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A turn was added to the conversation: until it ends, no other can be."""

    response_id: ResponseId
    base: ResponseId | None = None
    """The turn before, on which this one builds; again the last if this one comes to nothing."""


class ConversationDeleted(ConversationEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The conversation was deleted, with its turns; it can be restored."""


class ConversationRestored(ConversationEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The conversation was restored, and the turns that were deleted with it."""


class ConversationPurged(ConversationEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The conversation is removed for ever; every other event of it is erased."""


AnyConversationEvent = (
    ConversationCreated
    | ConversationUpdated
    | TurnAdded
    | ConversationDeleted
    | ConversationRestored
    | ConversationPurged
)
"""Every event of a conversation; `event_kinds.py` has a row for each."""
