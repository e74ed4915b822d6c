"""Items in the one shape that every known backend takes.

Backends differ in what they refuse: llama.cpp a message without `type`, an assistant's plain text,
reasoning without content, and calls whose arguments are no JSON.
"""

from typing import Final

import orjson

from turnwire_contracts.events import Item
from turnwire_contracts.json_values import JSON, mapping, objects
from turnwire_contracts.wire.compaction import summary_of
from turnwire_orchestrator.prompting.tool_names import alias

_PLAIN_TYPES: Final = frozenset({"message", "reasoning", "function_call", "function_call_output"})
"""Items that every known backend takes."""

_OURS = {"mcp_list_tools", "mcp_approval_request", "mcp_approval_response"}
"""Items of the loop that runs MCP tools: the backend never sees MCP."""

_DENIED = "The user did not approve this call."
_SUMMARY_HEAD = "Summary of the conversation so far:"
_INPUT_PARTS = {"text": "input_text"}
_OUTPUT_PARTS = {"text": "output_text", "input_text": "output_text"}


def shown(item: Item) -> list[Item]:
    """Give an item as a backend gets it, which of a call of an MCP tool is two items."""
    if item.get("type") == "mcp_call":
        return _as_function(item)
    clean = cleaned(item)
    return [] if clean is None else [clean]


def denied(request: Item, reason: str | None) -> list[Item]:
    """Give what the model is shown of a call that its user did not approve."""
    said = f"The user did not approve this call: {reason}" if reason else _DENIED
    return _as_function({**request, "output": said, "error": None})


def is_plain(item: Item) -> bool:
    """Tell whether every known backend takes an item of this type."""
    return item.get("type") in _PLAIN_TYPES and not is_in_namespace(item)


def is_in_namespace(item: Item) -> bool:
    """Tell whether an item is the call of a tool in a namespace, which OpenAI alone knows."""
    return bool(item.get("namespace"))


def cleaned(item: Item) -> Item | None:
    """Give an item as a backend gets it; `None` if it gets none."""
    match item.get("type"):
        case "message":
            return _message(item)
        case "reasoning":
            return _reasoning(item)
        case "function_call":
            return _function_call(item)
        case "function_call_output" | "custom_tool_call_output":
            kept = ("type", "call_id", "output")
            return {name: item[name] for name in kept if item.get(name) is not None}
        case "compaction":
            return _compaction(item)
        case kind:
            return None if kind in _OURS else item


def _message(item: Item) -> Item:
    content = item.get("content") or ""
    if item["role"] != "assistant":
        parts = _parts(content, "input_text", _INPUT_PARTS)
        return {"type": "message", "role": item["role"], "content": parts}
    message: JSON = {
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [_said(part) for part in _parts(content, "output_text", _OUTPUT_PARTS)],
    }
    return message | {name: item[name] for name in ("id", "phase") if item.get(name)}


def _parts(content: object, plain: str, names: dict[str, str]) -> list[JSON]:
    """Give content as parts; a plain text becomes one part of the type `plain`."""
    if isinstance(content, str):
        return [{"type": plain, "text": content}]
    return [
        {**part, "type": names.get(part.get("type", ""), part.get("type"))}
        for part in objects(content)
    ]


def _said(part: JSON) -> JSON:
    if part["type"] == "output_text":
        return {"type": "output_text", "text": part.get("text") or "", "annotations": []}
    if part["type"] == "refusal":
        # llama.cpp knows no refusals; to the model it is what it said.
        return {"type": "output_text", "text": part.get("refusal") or "", "annotations": []}
    return part


def _reasoning(item: Item) -> Item | None:
    if not item.get("content") and not item.get("encrypted_content") and not item.get("summary"):
        return None
    return {name: value for name, value in item.items() if name != "status" and value is not None}


def _compaction(item: Item) -> Item | None:
    """Give a summary of ours as words; that of another server is for that server to read."""
    try:
        summary = summary_of(item)
    except ValueError:
        return None
    if summary is None:
        return item
    summary_part = {"type": "input_text", "text": f"{_SUMMARY_HEAD}\n{summary}"}
    return {"type": "message", "role": "developer", "content": [summary_part]}


def _function_call(item: Item) -> Item:
    arguments = item.get("arguments") or "{}"
    try:
        orjson.loads(arguments)
    except orjson.JSONDecodeError:
        # A call that was cut off; llama.cpp answers such a history with HTTP 500.
        arguments = "{}"
    call: JSON = {
        "type": "function_call",
        "call_id": item.get("call_id"),
        "name": item.get("name"),
        "arguments": arguments,
    }
    return call | ({"namespace": item["namespace"]} if is_in_namespace(item) else {})


def _as_function(call: Item) -> list[Item]:
    """Give a call of an MCP tool as the function call that the model made, with its answer."""
    error = mapping(call.get("error"))
    output = f"Error: {error_text(error)}" if error else call.get("output") or ""
    name = alias(str(call.get("server_label")), str(call.get("name")))
    made = _function_call({**call, "call_id": call["id"], "name": name})
    return [made, {"type": "function_call_output", "call_id": call["id"], "output": output}]


def error_text(error: JSON) -> str:
    """Say what went wrong with a call, for the model."""
    said = error.get("message")
    return said if isinstance(said, str) else " ".join(_texts(error.get("content")))


def _texts(content: object) -> list[str]:
    return [part["text"] for part in objects(content) if isinstance(part.get("text"), str)]
