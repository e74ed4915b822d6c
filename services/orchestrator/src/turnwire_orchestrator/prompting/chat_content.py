"""Parts of messages in the words of chat completions."""

from typing import Any

from turnwire_contracts.json_values import JSON, mapping, objects

_TEXTS = {"input_text": "text", "output_text": "text", "text": "text", "refusal": "refusal"}


class UnsayableError(Exception):
    """Something in the input that chat completions have no words for; the text says what."""


def text_of(content: Any) -> str:
    """Give the text of a content, part by part on a line of its own."""
    if isinstance(content, str):
        return content
    return "\n".join(_text(part) for part in objects(content) if part.get("type") in _TEXTS)


def attachments_of(content: Any) -> list[JSON]:
    """Give the parts that are no text. Raises `UnsayableError`."""
    return [_part(part) for part in objects(content) if part.get("type") not in _TEXTS]


def user_content(content: Any) -> str | list[JSON]:
    """Give what a user says: a plain text where it is only that, since some servers take no more.

    Raises `UnsayableError`.
    """
    parts = objects(content)
    if all(part.get("type") in _TEXTS for part in parts):
        return text_of(content)
    return [
        {"type": "text", "text": _text(part)} if part.get("type") in _TEXTS else _part(part)
        for part in parts
    ]


def _text(part: JSON) -> str:
    text = part.get(_TEXTS[part["type"]])
    return text if isinstance(text, str) else ""


def _part(part: JSON) -> JSON:
    match part.get("type"):
        case "input_image":
            return _image(part)
        case "input_file":
            return _file(part)
        case _:
            # `input_audio` is called the same in both; what else there is, the backend may know.
            return part


def _image(part: JSON) -> JSON:
    url = part.get("image_url")
    # Some clients nest it as chat completions do.
    url = mapping(url).get("url") if isinstance(url, dict) else url
    if not isinstance(url, str):
        raise UnsayableError("an image must be given by its URL or as a data URL, not by a file id")
    detail = part.get("detail")
    return {"type": "image_url", "image_url": {"url": url} | ({"detail": detail} if detail else {})}


def _file(part: JSON) -> JSON:
    fields = ("file_data", "file_id", "filename")
    file = {name: part[name] for name in fields if part.get(name)}
    if not file.keys() & {"file_data", "file_id"}:
        raise UnsayableError("a file must be given by its data or its id, not by a URL")
    return {"type": "file", "file": file}
