"""How much may come before an answer begins: interim answers (1xx) have no end of their own."""

import ssl
from typing import Any, Final

import httpcore2

_MOST: Final = 128 * 1024
"""Bytes from a request to the end of its answer's head; that head alone has 100 KiB at most."""
_READ: Final = 4096
"""Bytes read at once of them: some hundred answers are read before others have their turn."""
_PART_COSTS: Final = 256


class EndlessHeadError(Exception):
    """A server goes on before its answer begins."""


class HeadBoundedStream(httpcore2.AsyncNetworkStream):
    """A connection on which each answer must begin within some bytes."""

    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self._stream = stream
        self._left: int | None = _MOST
        """What may still come before the answer; `None`: it has begun."""

    def has_begun(self) -> None:
        """An answer's head is read; what follows is its body, which has limits of its own."""
        self._left = None

    async def read(
        self,
        max_bytes: int,
        timeout: float | None = None,  # noqa: ASYNC109 -- httpcore2's signature
    ) -> bytes:
        """Read a part. Raises `httpcore2.RemoteProtocolError` where the answer does not begin."""
        if self._left is None:
            return await self._stream.read(max_bytes, timeout)
        part = await self._stream.read(min(max_bytes, _READ), timeout)
        self._left -= max(len(part), _PART_COSTS)
        if self._left < 0:
            error = EndlessHeadError(f"Its answer has not begun within {_MOST} bytes.")
            raise httpcore2.RemoteProtocolError(error)
        return part

    async def write(
        self,
        buffer: bytes,
        timeout: float | None = None,  # noqa: ASYNC109 -- httpcore2's signature
    ) -> None:
        """Write a part of a request, whose answer is to come."""
        self._left = _MOST
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 -- httpcore2's signature
    ) -> httpcore2.AsyncNetworkStream:
        """Go on encrypted, within the same bounds."""
        return HeadBoundedStream(
            await self._stream.start_tls(ssl_context, server_hostname, timeout)
        )

    def get_extra_info(self, info: str) -> Any:
        """Tell about the connection."""
        return self._stream.get_extra_info(info)
