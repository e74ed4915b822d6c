"""Text that is not Unicode: halves of characters that a backend sends in two deltas. Pure."""

import json
import re
from typing import Any, Final, cast

REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
_SURROGATES: Final = re.compile("[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]")
_FIRST_HIGH, _FIRST_LOW, _PAIR = "\ud800", "\udc00", 2
_SAFE_DIGITS: Final = 18


def lenient_json(data: bytes) -> Any:
    """Read JSON whose texts may hold halves of surrogates; bytes that are no UTF-8 are replaced.

    Raises `ValueError` for what is no JSON.
    """
    try:
        text = data.decode("utf-8-sig", "surrogatepass")
    except UnicodeDecodeError:
        text = data.decode("utf-8-sig", "replace")
    return json.loads(text, parse_int=_number)


def joined(text: str) -> tuple[str, str]:
    """Give a text with its pairs of surrogates joined, and the half that it ends in, if it does.

    Halves that stand alone inside it become U+FFFD.
    """
    half = text[-1:] if _FIRST_HIGH <= text[-1:] < _FIRST_LOW else ""
    return _SURROGATES.sub(_character, text[: len(text) - len(half)]), half


def _number(digits: str) -> int | float:
    """Read a whole number; one of more than 64 bits cannot be written as such again."""
    return int(digits) if len(digits) <= _SAFE_DIGITS else float(digits)


def _character(found: re.Match[str]) -> str:
    if len(found[0]) < _PAIR:
        return REPLACEMENT
    return found[0].encode("utf-16", "surrogatepass").decode("utf-16")


def mended(value: Any) -> Any:
    """Give a JSON value of which every text is Unicode: halves that stand alone are U+FFFD."""
    match value:
        case str():
            return _SURROGATES.sub(_character, value)
        case dict():
            members = cast("dict[str, Any]", value)
            return {mended(name): mended(member) for name, member in members.items()}
        case list():
            return [mended(member) for member in cast("list[Any]", value)]
        case _:
            return value
