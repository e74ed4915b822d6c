"""Conversations and what is in them, as the API writes them. Pure."""

from turnwire_contracts.conversation import ConversationState
from turnwire_contracts.events import Item, Requested
from turnwire_contracts.json_values import JSON
from turnwire_contracts.queries import Node
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.wire.items import named_items
from turnwire_contracts.wire.response import closed_response


def conversation_object(conversation: ConversationState) -> JSON:
    """Write a conversation; times are Unix seconds. OpenAI, and Aleph Alpha's `updated_at`."""
    written: JSON = {
        "id": conversation.conversation_id,
        "object": "conversation",
        "created_at": conversation.created_at // 1000,
        "updated_at": conversation.updated_at // 1000,
        "metadata": conversation.metadata,
    }
    return {**written, "deleted": True} if conversation.deleted else written


def items_in(turn: ClosedTurn) -> list[Item]:
    """Give the items that a turn brought into its conversation, in their order."""
    items = [*asked_items(turn.request), *turn.closed.output]
    return [_listed(item) for item in items if item["id"] not in turn.removed]


def asked_items(request: Requested) -> list[Item]:
    """Give a turn's input as a list of its own items, each with an id and a status."""
    return [_listed(item) for item in named_items(request) if item["type"] != "item_reference"]


def node_object(node: Node) -> JSON:
    """Write a response in its conversation's tree (Aleph Alpha: `HistoryResponse`)."""
    written = {
        **closed_response(node.turn),
        "ancestor_ids": node.ancestors,
        "depth": len(node.ancestors),
        "request_input": asked_items(node.turn.request),
    }
    return {**written, "deleted": True} if node.turn.deleted else written


def _listed(item: Item) -> Item:
    """Write an item as lists show it: a message's text is a part, and it is completed."""
    if item["type"] != "message":
        return item
    content = item.get("content")
    if isinstance(content, str):
        content = [_text_part(item["role"], content)]
    return {"status": "completed", **item, "content": content}


def _text_part(role: str, text: str) -> JSON:
    if role == "assistant":
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"type": "input_text", "text": text}
