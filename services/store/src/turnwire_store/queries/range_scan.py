"""Reads what is spread over the log window by window: no read is longer than what it finds."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, TypeVar

from turnwire_store.listing import Window

FoundT = TypeVar("FoundT")

_NARROW: Final = 4096
_AT_ONCE: Final = 100
_FEW: Final = 25
_WIDER: Final = 4
_MUCH_WIDER: Final = 16
"""Where nothing was found; on average that much wider a window then has few things still."""


async def sweep(
    within: Window,
    read: Callable[[Window, int], Awaitable[list[FoundT]]],
    sequence_of: Callable[[FoundT], int],
    narrow: int = _NARROW,
) -> AsyncIterator[FoundT]:
    """Give what `read` finds in all of `within`; windows grow while little is found in them.

    `read` gives the first things of a window, at most as many as it is told. The first window has
    `narrow` sequences.
    """
    first, last = within.first, within.last
    width = narrow
    while first <= last:
        window = _next(first, last, width, newest_first=within.newest_first)
        found = await read(window, _AT_ONCE)
        for one in found:
            yield one
        full = len(found) == _AT_ONCE
        if within.newest_first:
            last = (sequence_of(found[-1]) if full else window.first) - 1
        else:
            first = (sequence_of(found[-1]) if full else window.last) + 1
        if len(found) < _FEW:
            width *= _WIDER if found else _MUCH_WIDER


def _next(first: int, last: int, width: int, *, newest_first: bool) -> Window:
    if newest_first:
        return Window(max(first, last - width + 1), last, newest_first)
    return Window(first, min(last, first + width - 1), newest_first)
