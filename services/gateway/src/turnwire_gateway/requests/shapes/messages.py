"""Messages and parts as chat completions write them, as items and parts of the Responses API."""

from typing import Any, cast

from turnwire_contracts.events import Item
from turnwire_contracts.json_values import JSON, mapping


class ItemError(ValueError):
    """An input item is wrong at a place inside it."""

    def __init__(self, place: str, message: str) -> None:
        """`place` is a path below `input`, such as `[0].content`."""
        super().__init__(message)
        self.place = place


def is_of_chat(fields: JSON) -> bool:
    """Tell whether a message is one that only chat completions know."""
    if fields["type"] != "message":
        return False
    of_assistant = any(fields.get(name) for name in ("tool_calls", "refusal"))
    return fields.get("role") == "tool" or (fields.get("role") == "assistant" and of_assistant)


def items_of_message(fields: JSON, place: str, customs: set[str]) -> list[Item]:
    """Give the items that such a message says; raises `ItemError`.

    `customs` are the ids of calls of custom tools, whose outputs are called otherwise; those of
    this message are added.
    """
    if fields["role"] == "tool":
        call_id = _text(fields, "tool_call_id", place)
        kind = "custom_tool_call_output" if call_id in customs else "function_call_output"
        given = flat_content(fields.get("content"), f"{place}.content", "user")
        output = {"type": kind, "call_id": call_id, "output": given}
        return [{**output, "id": fields["id"]} if "id" in fields else output]
    said: list[Item] = []
    kept = {name: fields[name] for name in fields if name not in ("tool_calls", "refusal")}
    if fields.get("content"):
        said.append(kept)
    elif fields.get("refusal"):
        refusal = {"type": "refusal", "refusal": _text(fields, "refusal", place)}
        said.append({**kept, "content": [refusal]})
    calls: Any = fields.get("tool_calls") or []
    if not isinstance(calls, list):
        raise ItemError(f"{place}.tool_calls", "must be a list")
    for index, call in enumerate(cast("list[Any]", calls)):
        said.append(_call(mapping(call), f"{place}.tool_calls[{index}]"))
    customs |= {item["call_id"] for item in said if item["type"] == "custom_tool_call"}
    return said


def flat_content(content: object, place: str, role: str) -> str | list[JSON]:
    """Give what a role says, with each part as the Responses API writes it.

    Raises `ItemError`.
    """
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise ItemError(place, "must be a text or a list of parts")
    parts: list[JSON] = []
    for index, each in enumerate(cast("list[Any]", content)):
        part, at = mapping(each), f"{place}[{index}]"
        if not isinstance(part.get("type"), str):
            raise ItemError(at, "must be an object with a `type`")
        parts.append(_flat_part(part, at, role))
    return parts


def _flat_part(part: JSON, place: str, role: str) -> JSON:
    match part["type"]:
        case "text":
            _check_text(part, place)
            return {**part, "type": "output_text" if role == "assistant" else "input_text"}
        case "input_text" | "output_text":
            _check_text(part, place)
            return part
        case "image_url" | "input_image":
            return _image(part, place)
        case "file" if isinstance(part.get("file"), dict):
            return {"type": "input_file", **mapping(part["file"])}
        case _:
            return part


def _check_text(part: JSON, place: str) -> None:
    if not isinstance(part.get("text"), str | None):
        raise ItemError(f"{place}.text", "must be a text")


def _image(part: JSON, place: str) -> JSON:
    told = {name: value for name, value in part.items() if value is not None}
    url, at = told.get("image_url"), f"{place}.image_url"
    if isinstance(url, dict):
        inner = mapping(url)
        url, at = inner.get("url", ""), f"{at}.url"
        if inner.get("detail") is not None:
            told.setdefault("detail", inner["detail"])
    if url is None and told.get("file_id") is not None:
        return {**told, "type": "input_image"}
    if not isinstance(url, str) or not url:
        raise ItemError(at, "must be the URL of an image, or a data URL")
    if not isinstance(told.get("detail", ""), str):
        raise ItemError(f"{place}.detail", "must be a text")
    return {**told, "type": "input_image", "image_url": url}


def _call(call: JSON, place: str) -> Item:
    call_id = _text(call, "id", place)
    kind = "custom" if call.get("type") == "custom" else "function"
    if not isinstance(call.get(kind), dict):
        raise ItemError(f"{place}.{kind}", "must be an object")
    inner, at = mapping(call[kind]), f"{place}.{kind}"
    name = _text(inner, "name", at)
    if kind == "custom":
        said = {"type": "custom_tool_call", "input": _text(inner, "input", at)}
    else:
        said = {"type": "function_call", "arguments": _text(inner, "arguments", at)}
    return {**said, "call_id": call_id, "name": name}


def _text(fields: JSON, name: str, place: str) -> str:
    text = fields.get(name)
    if not isinstance(text, str):
        raise ItemError(f"{place}.{name}", "must be a text")
    return text
