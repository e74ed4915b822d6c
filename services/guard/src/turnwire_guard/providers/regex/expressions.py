"""Expressions of RE2: compiled, joined, searched over bytes."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, cast

import re2  # pyright: ignore[reportMissingTypeStubs] -- it has none

_WORDS_IN_ONE = 500


class _Match(Protocol):
    def group(self) -> bytes: ...


class Expression(Protocol):
    """A compiled expression."""

    def search(self, text: bytes) -> object | None:
        """Give the first match."""
        ...

    def finditer(self, text: bytes) -> Iterator[_Match]:
        """Give all matches that do not overlap."""
        ...


Expressions = tuple[Expression, ...]

_re2_compile = cast("Callable[[str, object], Expression]", re2.compile)
_escape = cast("Callable[[str], str]", re2.escape)
_Re2Error = cast("type[Exception]", re2.error)


class BadExpressionError(ValueError):
    """RE2 does not take an expression; the text is its reason."""


def compiled(expression: str) -> Expression:
    """Compile. Raises BadExpressionError."""
    options = re2.Options()
    options.never_capture = True
    options.log_errors = False
    try:
        return _re2_compile(expression, options)
    except _Re2Error as error:
        raise BadExpressionError(_reason(error)) from error


def joined(expressions: list[str]) -> Expressions:
    """Compile expressions to one that matches where any does: 11 µs for 50 over 2,000 bytes.

    Not `re2.Set`, a little faster: it answers "no match" when it runs out of memory, and its
    Python binding does not tell. A single expression then falls back to another engine.
    """
    if not expressions:
        return ()
    try:
        return (compiled("|".join(f"(?:{expression})" for expression in expressions)),)
    except BadExpressionError:
        # Too large together, or a `\\Q` without its `\\E` that would swallow its neighbours.
        return tuple(compiled(expression) for expression in expressions)


def occurs(expressions: Expressions, content: bytes) -> bool:
    """Tell whether any matches."""
    return any(expression.search(content) is not None for expression in expressions)


def whole_words(words: list[str]) -> list[str]:
    """Write expressions that find literal words, in any case, between characters of no word.

    RE2's own boundary knows ASCII only.
    """
    several = (words[n : n + _WORDS_IN_ONE] for n in range(0, len(words), _WORDS_IN_ONE))
    return [
        rf"(?i:(?:^|[^\pL\pN_])(?:{'|'.join(map(_escape, each))})(?:$|[^\pL\pN_]))"
        for each in several
    ]


def matches(expression: Expression, content: bytes) -> Iterable[str]:
    """Give the text of all matches."""
    for match in expression.finditer(content):
        yield match.group().decode(errors="replace")


def _reason(error: Exception) -> str:
    reason = error.args[0]
    return reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
