"""The fold of a conversation: what it is called, and where its next turn belongs.

What was said in it is the history of its last turn (`previous_response_id`).
"""

from functools import reduce
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from turnwire_contracts.conversation_events import (
    AnyConversationEvent,
    ConversationCreated,
    ConversationDeleted,
    ConversationPurged,
    ConversationRestored,
    ConversationUpdated,
    TurnAdded,
)
from turnwire_contracts.ids import ConversationId, OwnerId, ResponseId, TenantId
from turnwire_contracts.turn import ImpossibleEventError


class ConversationState(Struct, frozen=True, omit_defaults=True):
    """A conversation after its events so far. Its encoded form is the content of a view."""

    conversation_id: ConversationId
    tenant: TenantId
    owner: OwnerId
    created_at: int
    """Unix time in milliseconds, as `updated_at`."""
    updated_at: int
    metadata: dict[str, str] = {}
    last: ResponseId | None = None
    """The turn that was added last; it may still run, or have come to nothing."""
    last_at: int = 0
    """When it was added, in milliseconds."""
    base: ResponseId | None = None
    """The turn before it."""
    deleted: bool = False


State = ConversationState | None
"""`None`: not begun yet, or gone for ever."""


def evolve_conversation(state: State, event: AnyConversationEvent) -> State:  # noqa: PLR0911 -- one line for each event
    """Give the state after `event`; raises `ImpossibleEventError` when it cannot follow."""
    if isinstance(event, ConversationPurged):
        return None
    if isinstance(event, ConversationCreated):
        return _created(state, event)
    if state is None:
        # What came before was erased, and this with it soon.
        return None
    match event:
        case ConversationUpdated():
            return replace(state, metadata=event.metadata, updated_at=event.at)
        case TurnAdded():
            return replace(
                state,
                last=event.response_id,
                last_at=event.at,
                base=event.base,
                updated_at=event.at,
            )
        case ConversationDeleted():
            return replace(state, deleted=True, updated_at=event.at)
        case ConversationRestored():
            return replace(state, deleted=False, updated_at=event.at)
        case _:
            assert_never(event)


def fold_conversation(events: list[AnyConversationEvent], state: State = None) -> State:
    """Give the state after all `events`, oldest first, that came after `state`."""
    return reduce(evolve_conversation, events, state)


def _created(state: State, event: ConversationCreated) -> ConversationState:
    if state is not None:
        raise ImpossibleEventError("a conversation is created once")
    return ConversationState(
        event.conversation_id,
        event.tenant,
        event.owner,
        created_at=event.at,
        updated_at=event.at,
        metadata=event.metadata,
    )
