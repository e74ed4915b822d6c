"""Every kind of event in `TURNS`, one row each: what it says, in which version, who publishes it.

The codec, the rights at the broker and docs/events.md follow from these two tables.
"""

from collections.abc import Mapping
from typing import Final, Generic, Literal, TypeVar, get_args

from msgspec import Struct

from turnwire_contracts import queues, subjects
from turnwire_contracts.conversation_events import (
    AnyConversationEvent,
    ConversationCreated,
    ConversationDeleted,
    ConversationEvent,
    ConversationPurged,
    ConversationRestored,
    ConversationUpdated,
    TurnAdded,
)
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
    TurnChange,
)
from turnwire_contracts.ids import ConversationId, ResponseId, TenantId

Writer = Literal["gateway", "orchestrator", "store"]
"""A service that publishes events, by the name of its user at the broker."""

EventT = TypeVar("EventT", bound=AnyEvent | AnyConversationEvent)

_LANES: Final = tuple(queue.lane for queue in queues.QUEUES if queue.lane)


class EventKind(Struct, Generic[EventT], frozen=True):
    """One kind of event."""

    event: type[EventT]
    writers: tuple[Writer, ...]
    """The services that may publish it; the broker refuses it from any other."""
    version: int = 1
    """The version that is written today; older ones are read through an upcaster (`codec.py`)."""
    lanes: tuple[str, ...] = ()
    """Words behind the kind in its subject, for which there is a consumer of its own."""

    @property
    def changes_ended_turn(self) -> bool:
        """Whether it changes a turn after its end."""
        return self.event in get_args(TurnChange)


TURN_EVENT_KINDS: Final[Mapping[str, EventKind[AnyEvent]]] = {
    "requested": EventKind(Requested, ("gateway",), lanes=_LANES),
    "started": EventKind(Started, ("orchestrator",)),
    "items_added": EventKind(ItemsAdded, ("gateway",)),
    "screened": EventKind(Screened, ("orchestrator",)),
    "tools_listed": EventKind(ToolsListed, ("orchestrator",)),
    "sampled": EventKind(Sampled, ("orchestrator",)),
    "tool_called": EventKind(ToolCalled, ("orchestrator",)),
    "tool_returned": EventKind(ToolReturned, ("orchestrator",)),
    "taken_over": EventKind(TakenOver, ("orchestrator",)),
    # The store's: of a turn that still runs when its owner's data is erased.
    "cancel_requested": EventKind(CancelRequested, ("gateway", "store")),
    # The gateway's: of a background turn that is cancelled before an orchestrator had it.
    "closed": EventKind(Closed, ("gateway", "orchestrator")),
    "deleted": EventKind(Deleted, ("gateway",)),
    "restored": EventKind(Restored, ("gateway",)),
    "item_removed": EventKind(ItemRemoved, ("gateway",)),
    # The store's: of a turn whose retention is over, and of erasure.
    "purged": EventKind(Purged, ("gateway", "store")),
}
"""By the last word of the subject, lanes aside."""

CONVERSATION_EVENT_KINDS: Final[Mapping[str, EventKind[AnyConversationEvent]]] = {
    "created": EventKind(ConversationCreated, ("gateway",)),
    "updated": EventKind(ConversationUpdated, ("gateway",)),
    "turn_added": EventKind(TurnAdded, ("gateway",)),
    "deleted": EventKind(ConversationDeleted, ("gateway",)),
    "restored": EventKind(ConversationRestored, ("gateway",)),
    "purged": EventKind(ConversationPurged, ("gateway", "store")),
}
"""By the last word of the subject."""

_ROWS: Final = (*TURN_EVENT_KINDS.items(), *CONVERSATION_EVENT_KINDS.items())
_NAMES: Final[Mapping[type, str]] = {row.event: kind for kind, row in _ROWS}

VERSIONS: Final[Mapping[type, int]] = {row.event: row.version for _, row in _ROWS}
"""By the struct: the version that is written today."""


def _subjects(kind: str, row: EventKind[AnyEvent]) -> tuple[str, ...]:
    """Name the subjects of a kind of event of any turn."""
    lanes = (kind, *(f"{kind}.{lane}" for lane in row.lanes))
    return tuple(subjects.turn_event(TenantId("*"), ResponseId("*"), each) for each in lanes)


TURN_CHANGES: Final = tuple(
    subject
    for kind, row in TURN_EVENT_KINDS.items()
    if row.changes_ended_turn
    for subject in _subjects(kind, row)
)
"""The subjects of changes to ended turns; services that remember turns subscribe to them."""


def subjects_written_by(writer: Writer) -> tuple[str, ...]:
    """Name the subjects of the events that a service may publish, of any turn or conversation."""
    of_turns = (
        subject
        for kind, row in TURN_EVENT_KINDS.items()
        if writer in row.writers
        for subject in _subjects(kind, row)
    )
    of_conversations = (
        subjects.conversation_event(TenantId("*"), ConversationId("*"), kind)
        for kind, row in CONVERSATION_EVENT_KINDS.items()
        if writer in row.writers
    )
    return (*of_turns, *of_conversations)


def kind_of(event: AnyEvent | AnyConversationEvent) -> str:
    """Name the kind of an event: the last word of its subject."""
    return _NAMES[type(event)]


def subject_of(event: AnyEvent | AnyConversationEvent) -> str:
    """Name the subject an event is published under; a request names the queue it waits in."""
    kind = kind_of(event)
    if isinstance(event, ConversationEvent):
        return subjects.conversation_event(event.tenant, event.conversation_id, kind)
    if isinstance(event, Requested) and (event.background or event.queue_level):
        queue = queues.Queue(background=event.background, level=event.queue_level)
        kind = f"{kind}.{queue.lane}"
    return subjects.turn_event(event.tenant, event.response_id, kind)
