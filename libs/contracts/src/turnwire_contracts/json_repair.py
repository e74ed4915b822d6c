"""JSON text that is not Unicode, made readable: a bad character costs itself and no more. Pure.

A character above U+FFFF is two halves in UTF-16 (surrogates). A half that stands alone is no
Unicode, and most JSON readers and writers refuse it.
"""

import codecs
import json
import re
from typing import Any, Final, cast

import orjson

REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"

_FIRST_HALF, _FIRST_LOW_HALF = "\ud800", "\udc00"
_HALVES: Final = re.compile("[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]")

_LONE_ESCAPE: Final = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
"""A half that stands alone as an escape, where every backslash begins one."""

_BACKSLASH: Final = r"\\"
_NO_TEXT: Final = "\ud800"
"""Stands for an escaped backslash meanwhile (`\\\\ud83d` is no escape): it is in no mended text."""

_SAFE_DIGITS: Final = 18


def repaired_json(data: bytes) -> bytes:
    """Give the same JSON text as UTF-8 that every JSON reader takes.

    Halves of surrogates that stand alone, escaped or as bytes, and bytes that are no UTF-8 become
    U+FFFD; halves that are a pair become one character (RFC 8259 §8.2). A byte order mark is left
    out (§8.1). All else stays as it was written. Raises `ValueError` for what is no JSON then.
    """
    text = _mended(_decoded(data)).replace(_BACKSLASH, _NO_TEXT)
    repaired = _LONE_ESCAPE.sub(r"\\ufffd", text).replace(_NO_TEXT, _BACKSLASH).encode()
    orjson.loads(repaired)
    return repaired


def lenient_json(data: bytes) -> Any:
    """Read JSON whose texts may hold halves of surrogates; bytes that are no UTF-8 are replaced.

    Raises `ValueError` for what is no JSON.
    """
    return json.loads(_decoded(data), parse_int=_number)


def joined(text: str) -> tuple[str, str]:
    """Give a text with its pairs of surrogates joined, and the half that it ends in, if it does.

    Halves that stand alone inside it become U+FFFD.
    """
    half = text[-1:] if _FIRST_HALF <= text[-1:] < _FIRST_LOW_HALF else ""
    return _mended(text[: len(text) - len(half)]), half


def mended(value: Any) -> Any:
    """Give a JSON value of which every text is Unicode: halves that stand alone are U+FFFD."""
    match value:
        case str():
            return _mended(value)
        case dict():
            members = cast("dict[str, Any]", value)
            return {_mended(name): mended(member) for name, member in members.items()}
        case list():
            return [mended(member) for member in cast("list[Any]", value)]
        case _:
            return value


def _decoded(data: bytes) -> str:
    text = data.removeprefix(codecs.BOM_UTF8)
    try:
        return text.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return text.decode("utf-8", "replace")


def _mended(text: str) -> str:
    return _HALVES.sub(_character, text)


def _character(found: re.Match[str]) -> str:
    if len(found[0]) == 1:
        return REPLACEMENT
    return found[0].encode("utf-16", "surrogatepass").decode("utf-16")


def _number(digits: str) -> int | float:
    """Read a whole number; one of more than 64 bits cannot be written as such again."""
    return int(digits) if len(digits) <= _SAFE_DIGITS else float(digits)
