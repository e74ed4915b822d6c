"""Items and whole answers in whatever shape servers write them, put into the one of OpenAI. Pure.

Known shapes: `content` as a text (proxies that copy a chat message), a text or one object in place
of a list, parts of the type `text` (chat completions; with a `value`: Assistants), arguments as an
object, an answer that is `output_text` alone.
"""

from typing import Any, Final, cast

import msgspec
import orjson

from turnwire_contracts.events import Item
from turnwire_contracts.json_values import JSON, mapping, objects
from turnwire_contracts.wire.items import ARGUMENT_FIELDS, TEXT_FIELDS, parts_of

_PARTS: Final = {
    "message": {"content": "output_text"},
    "reasoning": {"summary": "summary_text", "content": "reasoning_text"},
}
"""The lists of parts in an item, and the kind that a part has which names none."""


def text_of(said: object) -> str:
    """Give arguments as a text, also those of a server that sends them as an object."""
    if isinstance(said, dict | list):
        # Numbers may be larger than orjson writes.
        return msgspec.json.encode(said).decode()
    return said if isinstance(said, str) else ""


def is_json(text: str) -> bool:
    """Tell whether a text is JSON and whole."""
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def is_same_json(one: str, other: str) -> bool:
    """Tell whether two texts are JSON and hold the same."""
    try:
        return bool(orjson.loads(one) == orjson.loads(other))
    except orjson.JSONDecodeError:
        return False


def cleaned(item: Item) -> Item:
    """Give an item whose arguments are a text and whose parts are lists of parts."""
    kind = str(item.get("type"))
    if field := ARGUMENT_FIELDS.get(kind):
        return item | {field: text_of(item.get(field))}
    lists = _PARTS.get(kind, {})
    found = {field: _parts(item[field], part) for field, part in lists.items() if item.get(field)}
    if kind == "message" and not found and isinstance(item.get("text"), str):
        found = {"content": _parts(item["text"], "output_text")}
    return item | found


def output_of(response: JSON, *, takes_text: bool = True) -> list[Item]:
    """Give the items of a whole answer; `takes_text`: one that is a text alone has a message."""
    said = response.get("output")
    items = [cleaned(item) for item in objects([said] if isinstance(said, dict) else said)]
    text = said if isinstance(said, str) else response.get("output_text")
    if not (takes_text and isinstance(text, str) and text) or any(map(_is_said, items)):
        return items
    others = [item for item in items if item.get("type") != "message"]
    return [*others, cleaned({"type": "message", "content": text})]


def _is_said(item: Item) -> bool:
    """Tell whether an item is a message that says something."""
    if item.get("type") != "message":
        return False
    return any(part.get(TEXT_FIELDS[part["type"]]) for part in parts_of(item))


def _parts(said: Any, kind: str) -> list[Any]:
    parts = cast("list[Any]", said) if isinstance(said, list) else [said]
    return [_part(part, kind) for part in parts]


def _part(said: Any, kind: str) -> Any:
    if isinstance(said, str):
        return {"type": kind, "text": said}
    part = mapping(said)
    if part.get("type") not in (None, "text"):
        return said
    text = part.get("text")
    if isinstance(text, dict):
        text = mapping(cast("JSON", text)).get("value")
    return {**part, "type": kind, "text": text} if isinstance(text, str) else said
