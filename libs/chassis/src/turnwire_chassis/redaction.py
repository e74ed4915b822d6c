"""What may be written into a log, by its name and its type: pure, the same for every line.

A log is read by more people than a conversation is. So a field passes if its kind is known to be
harmless, and nothing is trusted for its name alone: texts lose whatever looks like a secret, and
whatever is no plain value is named by its type. Of an exception its type and its place are told;
its text may quote what could not be read.
"""

import re
import traceback
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from types import TracebackType
from typing import Any, Final, cast

REDACTED: Final = "[redacted]"

_LONGEST_TEXT: Final = 500
_MOST_FRAMES: Final = 30
_DEEPEST: Final = 5

_SECRETS: Final = (
    r"authorization|cookie|passw|secret|token$|credential|api_?key$|_key$|seed|headers"
)
_NAMES_SECRET: Final = re.compile(_SECRETS, re.IGNORECASE)

_SECRET_NAME: Final = re.compile(
    f"{_SECRETS}"
    r"|^(body|input|output|content|instructions|arguments|prompt|text|message|items|metadata)$",
    re.IGNORECASE,
)
"""Fields that hold secrets or what people said, whatever their value looks like."""

SECRETS_IN_TEXT: Final = re.compile(
    r"""
    -----BEGIN[ ][A-Z ]*PRIVATE[ ]KEY-----.*?(-----END[ ][A-Z ]*PRIVATE[ ]KEY-----|$)
    | (?<=://)[^/@\s]+(?=@)                              # credentials in a URL
    | \b(?:Bearer|Basic)\s+[^\s"',]+
    | \beyJ[\w-]{5,}\.[\w-]+\.[\w-]*                    # JWT
    | \b(?:tw|sk|pk)[_-][\w-]{8,}                        # API keys
    | \bS[UAOCNXP][A-Z2-7]{56}\b                        # NKey seeds
    | (?<![\w+/-])[\w+/-]{43}=                           # 32 bytes in base64
    | \b[0-9a-fA-F]{64}\b                               # and in hex
    """,
    re.VERBOSE | re.DOTALL,
)


_MARKS: Final = (
    *("://", "Bearer", "Basic", "eyJ", "-----BEGIN"),
    *("tw_", "tw-", "sk_", "sk-", "pk_", "pk-"),
)
"""One of them is in every secret of `SECRETS_IN_TEXT` that is shorter than `_LONG`."""
_LONG: Final = 43


def redacted_text(text: str) -> str:
    """Take out of a text what looks like a secret, and cut it to 500 characters."""
    # Most texts are ids and single words, in every line; the expression would cost 4 % of a turn.
    if len(text) < _LONG and not any(map(text.__contains__, _MARKS)):
        return text
    clean = SECRETS_IN_TEXT.sub(REDACTED, text)
    return clean if len(clean) <= _LONGEST_TEXT else f"{clean[:_LONGEST_TEXT]}…"


def redacted_value(name: str, value: Any) -> Any:
    """Give the value of a field as it may be logged, by its name and its type."""
    if _names_a_secret(name) and not isinstance(value, bool | int | float | None):
        return REDACTED
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return redacted_text(value)
        case list() | tuple() | set() | frozenset():
            return [_plain(each) for each in cast("Iterable[object]", value)]
        case _:
            return f"<{type(value).__name__}>"


def without_secrets(value: Any, name: str = "") -> Any:
    """Give a JSON value with its content, but without what is a secret or looks like one.

    For what an operator asks to see, not for a log.
    """
    match value:
        case _ if name and _NAMES_SECRET.search(name) and value is not None:
            return REDACTED
        case dict():
            members = cast("dict[str, Any]", value)
            return {key: without_secrets(each, key) for key, each in members.items()}
        case list():
            return [without_secrets(each) for each in cast("list[Any]", value)]
        case str():
            return SECRETS_IN_TEXT.sub(REDACTED, value)
        case _:
            return value


@lru_cache(maxsize=1024)
def _names_a_secret(name: str) -> bool:
    # The code has a few hundred names of fields.
    return _SECRET_NAME.search(name) is not None


def redacted_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Give the fields of a line as they may be logged."""
    return {name: redacted_value(name, value) for name, value in fields.items()}


def exception_places(error: BaseException) -> list[str]:
    """Tell an exception without its text: types and places, the cause last."""
    lines: list[str] = []
    at: BaseException | None = error
    for _ in range(_DEEPEST):
        if at is None:
            break
        lines.append(_type(at))
        lines += _frames(at.__traceback__)
        lines += [f"  with {_type(each)}" for each in _inside(at)]
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
    return lines


def _plain(value: object) -> object:
    if isinstance(value, str):
        return redacted_text(value)
    is_plain = value is None or isinstance(value, bool | int | float)
    return value if is_plain else f"<{type(value).__name__}>"


def _inside(error: BaseException) -> Sequence[BaseException]:
    return cast("Sequence[BaseException]", getattr(error, "exceptions", ()))


def _type(error: BaseException) -> str:
    kind = type(error)
    return f"{kind.__module__}.{kind.__qualname__}"


def _frames(tb: TracebackType | None) -> list[str]:
    frames = traceback.extract_tb(tb)[-_MOST_FRAMES:]
    return [f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
