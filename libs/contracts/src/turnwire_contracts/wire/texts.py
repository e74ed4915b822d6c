"""The text in items, and in which role, as the guard judges it; and items without their text."""

import binascii
from base64 import b64decode
from collections.abc import Iterator
from typing import Any, cast

from turnwire_contracts.events import Item
from turnwire_contracts.json_values import JSON
from turnwire_contracts.queries import GuardMessage
from turnwire_contracts.wire.compaction import summary_of

_NOT_OF_A_MODEL = ("_output", "_response")
_STRUCTURE = frozenset({"type", "id", "call_id", "status", "role", "server_label"})
"""Fields that say what an item is, and nothing that a model would take for words."""

_NOT_READ = _STRUCTURE | {
    "approval_request_id", "detail", "file_id", "file_url", "image_url", "server_url",
}  # fmt: skip
"""Fields whose value no model reads as text; images and files that are not text are not judged."""

_BLANK = "█"


def texts(values: list[Item]) -> list[str]:
    """Give all text of items, or of what else a model reads, in every role."""
    return [text for value in values for text in _texts(value, "")]


def spoken(items: list[Item]) -> list[GuardMessage]:
    """Give what each item says, in their order; items without text are left out.

    What is neither a model's word nor its call counts as the user's: the sender of a
    request may write its system messages and tool outputs, too.
    """
    texts_of_items = ((item, "\n".join(texts([item]))) for item in items)
    return [
        GuardMessage(role="assistant" if _is_of_a_model(item) else "user", text=text)
        for item, text in texts_of_items
        if text
    ]


def blanked(items: list[Item]) -> list[Item]:
    """Give items in the same shape, with a block for every character of their text.

    Each text keeps its length, so that their cuts still fit and every frame has its number.
    """
    return [cast("Item", _blanked(item, "")) for item in items]


def _texts(value: Any, name: str) -> Iterator[str]:
    match value:
        case str():
            yield from _read_as_text(value, name)
        case dict():
            for key, member in cast("JSON", value).items():
                yield from _texts(member, key)
        case list():
            for member in cast("list[Any]", value):
                yield from _texts(member, name)
        case _:
            return


def _read_as_text(value: str, name: str) -> Iterator[str]:
    match name:
        case "file_data":
            text = _text_of_file(value)
        case "encrypted_content":
            text = _summary(value)
        case _:
            text = "" if name in _NOT_READ else value
    if text:
        yield text


def _text_of_file(data: str) -> str:
    """OpenAI: a file's content in base64, with or without `data:…;base64,` before it."""
    try:
        return b64decode(data.rpartition(",")[2], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _summary(content: str) -> str:
    """Read a compaction of ours; what others encrypted, only they can read."""
    try:
        return summary_of({"encrypted_content": content}) or ""
    except ValueError:
        return ""


def _blanked(value: Any, name: str) -> Any:
    match value:
        case str():
            return value if name in _STRUCTURE else _BLANK * len(value)
        case dict():
            members = cast("JSON", value)
            blank = {key: _blanked(member, key) for key, member in members.items()}
            return blank | {"status": "incomplete"} if "status" in blank else blank
        case list():
            # The bytes of a token are its text, too.
            members = cast("list[Any]", value)
            return [] if name == "bytes" else [_blanked(member, name) for member in members]
        case _:
            return value


def _is_of_a_model(item: Item) -> bool:
    if "role" in item:
        return item["role"] == "assistant"
    return not str(item.get("type", "")).endswith(_NOT_OF_A_MODEL)
