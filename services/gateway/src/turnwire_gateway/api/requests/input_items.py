"""Input items as clients send them, in the one form that events keep: each has a `type`."""

from typing import Any, cast

from turnwire_contracts.json_values import JSON, mapping
from turnwire_contracts.wire.compaction import summary_of
from turnwire_gateway.api.requests.chat_messages import (
    ItemError,
    flat_content,
    is_of_chat,
    items_of_message,
)

_ROLES = ("user", "assistant", "system", "developer")
_CALL_OF_MCP = ("id", "server_label", "name", "arguments")
_TEXTS: dict[str, tuple[str, ...]] = {
    "function_call": ("call_id", "name", "arguments"),
    "function_call_output": ("call_id",),
    "custom_tool_call": ("call_id", "name", "input"),
    "custom_tool_call_output": ("call_id",),
    "item_reference": ("id",),
    "mcp_call": _CALL_OF_MCP,
    "mcp_approval_request": _CALL_OF_MCP,
    "mcp_approval_response": ("approval_request_id",),
}
"""What must be there, and be a text."""


def text_or_items(value: Any) -> Any:
    """Give `input` if it may be one, before its items are read; raises `ItemError`."""
    if value is None or isinstance(value, str | list):
        return cast("str | list[Any]", value)
    raise ItemError("", "must be a text or a list of items")


def normalised_items(given: str | list[Any] | None, *, needed: bool = True) -> list[JSON]:
    """Give the input as items that each have a `type`; none at all only if none is `needed`.

    Raises `ItemError`, which names the place.
    """
    if not given:
        if needed or given is not None:
            raise ItemError("", "must not be empty")
        return []
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    customs: set[str] = set()
    return [
        item
        for index, each in enumerate(given)
        for item in _items(_fields(each, f"[{index}]"), f"[{index}]", customs)
    ]


def _items(fields: JSON, place: str, customs: set[str]) -> list[JSON]:
    """Give what an item says: a message of chat completions may be several items."""
    if not is_of_chat(fields):
        return [_item(fields, place)]
    return [_item(item, place) for item in items_of_message(fields, place, customs)]


def _fields(item: object, place: str) -> JSON:
    if not isinstance(item, dict):
        raise ItemError(place, "must be an object")
    fields = {name: value for name, value in mapping(item).items() if value is not None}
    kind = fields.setdefault("type", "message" if "role" in fields else "item_reference")
    if not isinstance(kind, str):
        raise ItemError(f"{place}.type", "must be a text")
    return fields


def _item(fields: JSON, place: str) -> JSON:
    kind = fields["type"]
    _check_texts(fields, _TEXTS.get(kind, ()), place)
    match kind:
        case "message":
            return _message(fields, place)
        case "function_call_output" | "custom_tool_call_output":
            return {
                **fields,
                "output": flat_content(fields.get("output"), f"{place}.output", "user"),
            }
        case "compaction":
            _check_compaction(fields, place)
        case "mcp_approval_response":
            _check_approval(fields, place)
        case _:
            pass
    return fields


def _message(fields: JSON, place: str) -> JSON:
    role = fields.get("role")
    if role not in _ROLES:
        raise ItemError(f"{place}.role", f"must be one of {', '.join((*_ROLES, 'tool'))}")
    return {**fields, "content": flat_content(fields.get("content"), f"{place}.content", role)}


def _check_texts(fields: JSON, names: tuple[str, ...], place: str) -> None:
    for name in names:
        if not isinstance(fields.get(name), str):
            raise ItemError(f"{place}.{name}", "must be a text")


def _check_approval(fields: JSON, place: str) -> None:
    if not isinstance(fields.get("approve"), bool):
        raise ItemError(f"{place}.approve", "must be a boolean")
    if not isinstance(fields.get("reason", ""), str):
        raise ItemError(f"{place}.reason", "must be a text")


def _check_compaction(fields: JSON, place: str) -> None:
    try:
        summary_of(fields)
    except ValueError as error:
        raise ItemError(f"{place}.encrypted_content", f"is {error}") from error
