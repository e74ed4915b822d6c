"""Messages and parts as chat completions write them, as items and parts of the Responses API."""

from typing import Any, Final, cast

from turnwire_contracts.events import Item
from turnwire_contracts.json_values import JSON, mapping

_FILES: Final = ("file_data", "file_id", "file_url")
_OTHERWISE: Final = {
    "tool_use": "a call is an item of its own: `function_call`",
    "tool_result": "what a call gave is an item of its own: `function_call_output`",
    "thinking": "what a model thought is an item of its own: `reasoning`",
    "redacted_thinking": "what a model thought is an item of its own: `reasoning`",
    "image": "an image is a part of type `input_image` with an `image_url`",
    "image_file": "an image is a part of type `input_image` with a `file_id`",
    "document": "a file is a part of type `input_file`",
}
"""Parts of Anthropic's messages, and of OpenAI's Assistants."""


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
    items: list[Item] = []
    kept = {name: fields[name] for name in fields if name not in ("tool_calls", "refusal")}
    if fields.get("content"):
        items.append(kept)
    elif fields.get("refusal"):
        refusal = {"type": "refusal", "refusal": _text(fields, "refusal", place)}
        items.append({**kept, "content": [refusal]})
    calls: Any = fields.get("tool_calls") or []
    if not isinstance(calls, list):
        raise ItemError(f"{place}.tool_calls", "must be a list")
    for index, call in enumerate(cast("list[Any]", calls)):
        items.append(_call(mapping(call), f"{place}.tool_calls[{index}]"))
    customs |= {item["call_id"] for item in items if item["type"] == "custom_tool_call"}
    return items


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
    flat = part
    match part["type"]:
        case "text":
            flat = {**part, "type": "output_text" if role == "assistant" else "input_text"}
        case "image_url" | "input_image":
            return _image(part, place)
        case "file":
            flat = {"type": "input_file", **_object(part, "file", place)}
            place = f"{place}.file"
        case kind if kind in _OTHERWISE:
            raise ItemError(f"{place}.type", f"is '{kind}', and {_OTHERWISE[kind]}")
        case _:
            pass
    _check_part(flat, place)
    return flat


def _check_part(part: JSON, place: str) -> None:
    match part["type"]:
        case "input_text" | "output_text":
            _text(part, "text", place)
        case "refusal":
            _text(part, "refusal", place)
        case "input_file":
            _check_file(part, place)
        case "input_audio":
            _text(_object(part, "input_audio", place), "data", f"{place}.input_audio")
        case _:
            pass


def _object(fields: JSON, name: str, place: str) -> JSON:
    if not isinstance(fields.get(name), dict):
        raise ItemError(f"{place}.{name}", "must be an object")
    return mapping(fields[name])


def _check_file(part: JSON, place: str) -> None:
    given = [part[name] for name in _FILES if part.get(name) is not None]
    if not given:
        raise ItemError(place, f"must have one of {', '.join(_FILES)}")
    if not all(isinstance(each, str) for each in given):
        raise ItemError(place, f"must have texts as {', '.join(_FILES)}")


def _image(part: JSON, place: str) -> JSON:
    image = {name: value for name, value in part.items() if value is not None}
    url, at = image.get("image_url"), f"{place}.image_url"
    if isinstance(url, dict):
        inner = mapping(url)
        url, at = inner.get("url", ""), f"{at}.url"
        if inner.get("detail") is not None:
            image.setdefault("detail", inner["detail"])
    if url is None and image.get("file_id") is not None:
        return {**image, "type": "input_image"}
    if not isinstance(url, str) or not url:
        raise ItemError(at, "must be the URL of an image, or a data URL")
    if not isinstance(image.get("detail", ""), str):
        raise ItemError(f"{place}.detail", "must be a text")
    return {**image, "type": "input_image", "image_url": url}


def _call(call: JSON, place: str) -> Item:
    call_id = _text(call, "id", place)
    kind = "custom" if call.get("type") == "custom" else "function"
    inner, at = _object(call, kind, place), f"{place}.{kind}"
    name = _text(inner, "name", at)
    if kind == "custom":
        item = {"type": "custom_tool_call", "input": _text(inner, "input", at)}
    else:
        item = {"type": "function_call", "arguments": _text(inner, "arguments", at)}
    return {**item, "call_id": call_id, "name": name}


def _text(fields: JSON, name: str, place: str) -> str:
    text = fields.get(name)
    if not isinstance(text, str):
        raise ItemError(f"{place}.{name}", "must be a text")
    return text
