"""How much of an answer is read: a server that never stops is stopped."""

from collections.abc import AsyncIterator

import httpx2
from msgspec import Struct

_MIB = 1024 * 1024
# Chunks of one byte would keep us busy for hours before they were many bytes.
_PART_COSTS = 256
_EVENT_ENDS = (b"\n\n", b"\n\r\n", b"\r\r")
_TAIL = 2
"""Bytes of an event's end that may stand in the part before: all but one of the longest."""


class ReadLimits(Struct, frozen=True):
    """Bytes that a server may send; a part of less than 256 bytes counts as that many.

    Heads end at 100 KiB, which is the HTTP client's own limit.
    """

    body: int = 16 * _MIB
    """Of a whole answer that is no stream."""
    stream: int = 64 * _MIB
    """Of one stream of server-sent events."""
    event: int = 4 * _MIB
    """Of one event, to within one read from the network."""


class TooLarge(httpx2.SSEError):
    """A server sent more than is read. An SSEError: the MCP SDK reconnects after any other."""


class BoundedStream(httpx2.AsyncByteStream):
    """The body of an answer, as long as it keeps within its limits."""

    def __init__(self, stream: httpx2.AsyncByteStream, limits: ReadLimits, *, events: bool) -> None:
        """`events`: the body is a stream of server-sent events."""
        self._stream = stream
        self._most = limits.stream if events else limits.body
        self._event = _EventSize(limits.event) if events else None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the body's parts. Raises TooLarge."""
        size = 0
        async for part in self._stream:
            size += max(len(part), _PART_COSTS)
            if size > self._most:
                raise _too_large("Its answer", self._most)
            if self._event is not None:
                self._event.add(part)
            yield part

    async def aclose(self) -> None:
        """Let the connection go; an answer that was not read to its end closes it."""
        await self._stream.aclose()


class _EventSize:
    """Counts the bytes since the last empty line."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._tail = b""

    def add(self, part: bytes) -> None:
        seen = self._tail + part
        begins = max(
            (at + len(end) for end in _EVENT_ENDS if (at := seen.rfind(end)) >= 0), default=-1
        )
        self._size = self._size + len(part) if begins < 0 else len(seen) - begins
        self._tail = seen[-_TAIL:]
        if self._size > self._most:
            raise _too_large("One event of its answer", self._most)


def _too_large(what: str, most: int) -> TooLarge:
    return TooLarge(f"{what} is larger than {most} bytes.")
