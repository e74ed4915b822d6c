"""The facts about a conversation: what it is called, and which turn was made in it last.

Their subjects are `conversation.<tenant>.<conversation_id>.<kind>`, in the same log as the turns;
what was said stands in the turns' own events.
"""

from msgspec import Struct

from turnwire_contracts import subjects
from turnwire_contracts.ids import ConversationId, OwnerId, ResponseId, TenantId


class ConversationEvent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What every event says about itself."""

    v: int
    """The schema version of this kind of event."""
    tenant: TenantId
    conversation_id: ConversationId
    at: int
    """When it happened: Unix time in milliseconds."""
    cause: str
    """The `x-request-id` of the request that led to it."""


class ConversationCreated(ConversationEvent, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody began a conversation."""

    owner: OwnerId
    metadata: dict[str, str] = {}


class ConversationUpdated(ConversationEvent, frozen=True, kw_only=True, omit_defaults=True):
    """Its metadata is replaced."""

    metadata: dict[str, str]


class TurnAdded(ConversationEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A turn is made in it: until that turn ends, no other one can be."""

    response_id: ResponseId
    base: ResponseId | None = None
    """The turn before, on which this one builds; again the last if this one comes to nothing."""


class ConversationDeleted(ConversationEvent, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody put it away, with its turns; it can be restored."""


class ConversationRestored(ConversationEvent, frozen=True, kw_only=True, omit_defaults=True):
    """It is back."""


class ConversationPurged(ConversationEvent, frozen=True, kw_only=True, omit_defaults=True):
    """It is to be gone for ever; every other event of it is erased."""


AnyConversationEvent = (
    ConversationCreated
    | ConversationUpdated
    | TurnAdded
    | ConversationDeleted
    | ConversationRestored
    | ConversationPurged
)

CONVERSATION_KINDS: dict[str, type[AnyConversationEvent]] = {
    "created": ConversationCreated,
    "updated": ConversationUpdated,
    "turn_added": TurnAdded,
    "deleted": ConversationDeleted,
    "restored": ConversationRestored,
    "purged": ConversationPurged,
}
"""The last word of the subject, and what the body then says."""

CONVERSATION_VERSIONS: dict[str, int] = dict.fromkeys(CONVERSATION_KINDS, 1)
"""The version that is written today."""

_NAMES = {event: kind for kind, event in CONVERSATION_KINDS.items()}


def conversation_kind_of(event: AnyConversationEvent) -> str:
    """Name the kind of an event: the last word of its subject."""
    return _NAMES[type(event)]


def conversation_subject_of(event: AnyConversationEvent) -> str:
    """Name the subject an event is published under."""
    kind = conversation_kind_of(event)
    return subjects.conversation_event(event.tenant, event.conversation_id, kind)
