"""The shapes that an output item takes on its way: when it is added, and when it is done."""

from turnwire_contracts.events import Item, Requested
from turnwire_contracts.ids import ResponseId, call_id, input_item_id, output_item_id
from turnwire_contracts.json_values import JSON, objects

TEXT_FIELDS = {
    "output_text": "text",
    "refusal": "refusal",
    "reasoning_text": "text",
    "summary_text": "text",
}
"""The kinds of part that stream, and the field that holds their text."""

ARGUMENT_FIELDS = {
    "function_call": "arguments",
    "custom_tool_call": "input",
    "mcp_call": "arguments",
}
"""The kinds of item whose own field streams, and that field."""

EVENT_NAMES = {
    "output_text": "response.output_text",
    "refusal": "response.refusal",
    "reasoning_text": "response.reasoning_text",
    "summary_text": "response.reasoning_summary_text",
    "function_call": "response.function_call_arguments",
    "custom_tool_call": "response.custom_tool_call_input",
    "mcp_call": "response.mcp_call_arguments",
}
"""What streams, and how its `.delta` and `.done` events are called."""

STREAMED_ITEMS = frozenset({"message", "reasoning", *ARGUMENT_FIELDS})
"""The kinds of item that are added in progress, and told piece by piece; all others are told in one
go, with the status they have."""

_PART_LISTS = {"message": ("content",), "reasoning": ("summary", "content")}
_SAID_AT_THE_END = frozenset({"encrypted_content"})
_LISTED = ("tools", "error")


def part_list(kind: str) -> str:
    """Name the field of an item that a part of this kind belongs in."""
    return "summary" if kind == "summary_text" else "content"


def empty_part(kind: str) -> JSON:
    """Give a part as `content_part.added` shows it."""
    if kind == "output_text":
        return {"type": kind, "text": "", "annotations": [], "logprobs": []}
    return {"type": kind, TEXT_FIELDS[kind]: ""}


def opened(head: Item, response_id: ResponseId, index: int) -> Item:
    """Give an item as `output_item.added` shows it: ours the id, nothing in it yet.

    `head` may be the finished item; what only its end tells is left out, so that a stream written
    again from the finished item starts with the same bytes.
    OpenAI: the `.added` item of a call carries empty arguments, clients append the deltas to it.
    """
    kind = head["type"]
    item = {
        "id": output_item_id(response_id, index, kind),
        **{name: value for name, value in head.items() if name not in _SAID_AT_THE_END},
    }
    item["id"] = output_item_id(response_id, index, kind)
    match kind:
        case "message":
            item |= {"role": "assistant", "content": [], "status": "in_progress"}
        case "reasoning":
            item.pop("content", None)
            item |= {"summary": [], "status": "in_progress"}
        case "function_call" | "custom_tool_call":
            item |= {ARGUMENT_FIELDS[kind]: "", "call_id": call_id(response_id, index)}
            item["status"] = "in_progress"
        case "mcp_call":
            item |= {"arguments": "", "output": None, "error": None, "status": "in_progress"}
        case "mcp_list_tools":
            item |= {"tools": []}
            item.pop("error", None)
        case _:
            pass
    return item


def parts_of(item: Item) -> list[JSON]:
    """List the parts of a finished item in the order in which they stream."""
    fields = _PART_LISTS.get(item["type"], ())
    parts = [part for field in fields for part in objects(item.get(field))]
    return [part for part in parts if part.get("type") in TEXT_FIELDS]


def said_at_the_end(item: Item) -> JSON:
    """Give those fields of a finished item that `output_item.added` did not show."""
    names = _LISTED if item["type"] == "mcp_list_tools" else _SAID_AT_THE_END
    return {name: item[name] for name in names if item.get(name) is not None}


def named_items(request: Requested) -> list[Item]:
    """Give the input items of a turn, each with its id: the client's own, or the one we make."""
    return [
        item
        if item.get("id")
        else {**item, "id": input_item_id(request.response_id, index, item["type"])}
        for index, item in enumerate(request.input)
    ]
