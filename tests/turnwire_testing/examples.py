"""Examples of events and turns: a plain one of each, to be changed where a test wants it."""

import os
import time
from collections.abc import Callable
from typing import Any, Final

from turnwire_contracts.conversation_events import (
    AnyConversationEvent,
    ConversationCreated,
    ConversationDeleted,
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
    Item,
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
    TurnUpdate,
)
from turnwire_contracts.ids import (
    ConversationId,
    OwnerId,
    ResponseId,
    TenantId,
    TurnKey,
    input_item_id,
    new_conversation_id,
    new_response_id,
)

TENANT = TenantId("acme")
OWNER = OwnerId("ada")
RESPONSE_ID = ResponseId("resp_019a0000000000000000000000000001")
TURN = TurnKey(TENANT, RESPONSE_ID)
OTHER_ID = ResponseId("resp_019a0000000000000000000000000002")
CONVERSATION_ID = ConversationId("conv_019a0000000000000000000000000003")
AT = 1_700_000_000_123
SEARCH: Item = {"name": "search", "input_schema": {"type": "object"}, "description": "Search."}

_EVERYWHERE: dict[str, Any] = {"v": 1, "tenant": TENANT, "at": AT, "cause": "req_1"}


def fresh_id() -> ResponseId:
    """Mint an id that no other test has: servers are shared."""
    return new_response_id(time.time_ns() // 1_000_000, os.urandom(10))


def fresh_conversation_id() -> ConversationId:
    """Mint a conversation's id that no other test has."""
    return new_conversation_id(time.time_ns() // 1_000_000, os.urandom(10))


def user(text: str) -> Item:
    """A message of the user as the gateway writes it into the log."""
    return {"type": "message", "role": "user", "content": text}


def message(text: str, index: int = 0, status: str = "completed") -> Item:
    """A finished message of the model."""
    part: Item = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {
        "id": f"msg_{RESPONSE_ID.removeprefix('resp_')}o{index}",
        "type": "message",
        "role": "assistant",
        "content": [part],
        "status": status,
    }


def mcp_call(index: int = 0, **changes: Any) -> Item:
    """A call of an MCP tool that has not ended."""
    call = {"type": "mcp_call", "server_label": "docs", "name": "search", "arguments": '{"q":1}'}
    end = {"output": None, "error": None, "status": "in_progress"}
    return {"id": f"mcp_{RESPONSE_ID.removeprefix('resp_')}o{index}", **call, **end, **changes}


def mcp_list_tools(index: int = 0) -> Item:
    """What a server of one tool offers."""
    listed = {"type": "mcp_list_tools", "server_label": "docs", "tools": [SEARCH]}
    return {"id": f"mcpl_{RESPONSE_ID.removeprefix('resp_')}o{index}", **listed}


def requested(**changes: Any) -> Requested:
    """A request for a plain response."""
    return Requested(**_facts(changes, owner=OWNER, model="m", input=[user("Hello?")]))


def started(**changes: Any) -> Started:
    """A background turn that left the queue."""
    return Started(**_facts(changes))


def items_added(**changes: Any) -> ItemsAdded:
    """Words put into a conversation, for no model to answer."""
    own = {"owner": OWNER, "conversation": CONVERSATION_ID, "input": [user("Remember this.")]}
    return ItemsAdded(**_facts(changes, **own))


def screened(**changes: Any) -> Screened:
    """A verdict: the input may pass."""
    return Screened(**_facts(changes))


def tools_listed(**changes: Any) -> ToolsListed:
    """What the only server offers."""
    return ToolsListed(**_facts(changes, items=[mcp_list_tools()]))


def sampled(**changes: Any) -> Sampled:
    """One call of an MCP tool."""
    return Sampled(**_facts(changes, output=[mcp_call()]))


def tool_called(**changes: Any) -> ToolCalled:
    """The call leaves."""
    return ToolCalled(**_facts(changes, item_ids=[mcp_call()["id"]]))


def tool_returned(**changes: Any) -> ToolReturned:
    """Its good end."""
    return ToolReturned(**_facts(changes, item_id=mcp_call()["id"], output="Found."))


def taken_over(**changes: Any) -> TakenOver:
    """Another owner, who found nothing published."""
    return TakenOver(**_facts(changes, cause="other:2"))


def cancel_requested(**changes: Any) -> CancelRequested:
    """A wish to end the turn."""
    return CancelRequested(**_facts(changes, reason="client_left"))


def closed(**changes: Any) -> Closed:
    """A good end with one message."""
    return Closed(**_facts(changes, status="completed", output=[message("Hi.")]))


def deleted(**changes: Any) -> Deleted:
    """A turn that is put away by itself."""
    return Deleted(**_facts(changes))


def restored(**changes: Any) -> Restored:
    """A turn that is back."""
    return Restored(**_facts(changes))


def item_removed(**changes: Any) -> ItemRemoved:
    """The user's message, taken out."""
    return ItemRemoved(**_facts(changes, item_id=input_item_id(RESPONSE_ID, 0, "message")))


def purged(**changes: Any) -> Purged:
    """The end of everything that was said."""
    return Purged(**_facts(changes))


UPDATES: Final[dict[str, Callable[..., TurnUpdate]]] = {
    "deleted": deleted,
    "restored": restored,
    "item_removed": item_removed,
}
"""By its kind: what changes a turn after its end and leaves it there."""


def conversation_created(**changes: Any) -> ConversationCreated:
    """A conversation in which nothing was said yet."""
    return ConversationCreated(**_conversation_facts(changes, owner=OWNER, metadata={"a": "b"}))


def conversation_updated(**changes: Any) -> ConversationUpdated:
    """Other metadata."""
    return ConversationUpdated(**_conversation_facts(changes, metadata={"c": "d"}))


def turn_added(**changes: Any) -> TurnAdded:
    """The first turn of a conversation."""
    return TurnAdded(**_conversation_facts(changes, response_id=RESPONSE_ID))


def conversation_deleted(**changes: Any) -> ConversationDeleted:
    """A conversation that is put away."""
    return ConversationDeleted(**_conversation_facts(changes))


def conversation_restored(**changes: Any) -> ConversationRestored:
    """A conversation that is back."""
    return ConversationRestored(**_conversation_facts(changes))


def conversation_purged(**changes: Any) -> ConversationPurged:
    """The end of a conversation."""
    return ConversationPurged(**_conversation_facts(changes))


_OF_TURNS: Final[dict[str, Callable[..., AnyEvent]]] = {
    "requested": requested,
    "started": started,
    "items_added": items_added,
    "screened": screened,
    "tools_listed": tools_listed,
    "sampled": sampled,
    "tool_called": tool_called,
    "tool_returned": tool_returned,
    "taken_over": taken_over,
    "cancel_requested": cancel_requested,
    "closed": closed,
    "purged": purged,
    **UPDATES,
}
_OF_CONVERSATIONS: Final[dict[str, Callable[..., AnyConversationEvent]]] = {
    "created": conversation_created,
    "updated": conversation_updated,
    "turn_added": turn_added,
    "deleted": conversation_deleted,
    "restored": conversation_restored,
    "purged": conversation_purged,
}


def example_of(kind: str) -> AnyEvent | AnyConversationEvent:
    """Give an event of a kind; those of conversations begin with `conversation.`."""
    of_conversations, _, rest = kind.rpartition(".")
    return _OF_CONVERSATIONS[rest]() if of_conversations else _OF_TURNS[kind]()


def _facts(changes: dict[str, Any], **own: Any) -> dict[str, Any]:
    return {**_EVERYWHERE, "response_id": RESPONSE_ID, **own, **changes}


def _conversation_facts(changes: dict[str, Any], **own: Any) -> dict[str, Any]:
    return {**_EVERYWHERE, "conversation_id": CONVERSATION_ID, **own, **changes}
