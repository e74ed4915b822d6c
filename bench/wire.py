"""One keep-alive HTTP connection for one request at a time, cheap enough to load a stack."""

import asyncio
import time
from dataclasses import dataclass, field
from itertools import pairwise
from typing import cast
from urllib.parse import urlsplit

import httptools

_ANSWER_WITHIN = 60.0
"""Seconds after which a request without an end has failed."""

_DELTA = b'"response.output_text.delta"'
_OK = 200


class RequestFailedError(Exception):
    """A request whose answer is missing, cut or wrong; the text says which."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a load goes: the address of a Responses API, by the URL that ends in /v1."""

    host: str
    port: int
    path: str
    token: str = field(default="", repr=False)
    """An API key; without one there is one local user."""

    @classmethod
    def parse(cls, base_url: str) -> "Target":
        """Read a base URL such as http://127.0.0.1:8080/v1."""
        parts = urlsplit(base_url)
        return cls(parts.hostname or "", parts.port or 80, f"{parts.path}/responses")

    def request(self, body: bytes) -> bytes:
        """Make the bytes of one create request."""
        head = (
            f"POST {self.path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        )
        head += f"Authorization: Bearer {self.token}\r\n\r\n" if self.token else "\r\n"
        return head.encode() + body


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer and when its parts came, in seconds since the request left."""

    body: bytes
    seconds: float
    first_body: float
    first_delta: float
    gaps: tuple[float, ...] = ()
    """Seconds between the reads of the body, one after the other."""


class Connection(asyncio.Protocol):
    """Sends a request, keeps what comes back, and looks at it only when it is whole."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._ended: asyncio.Future[None] | None = None
        self._parts: list[bytes] = []
        self._status = 0
        self._first_body = self._first_delta = 0.0
        self._reads: list[float] = []

    async def post(self, body: bytes) -> Answer:
        """Send one create request and wait for the end of its answer.

        Raises RequestFailedError for another status than 200, a lost connection, or no end.
        """
        transport = await self._connected()
        ended = self._begin()
        timer = self._loop.call_later(_ANSWER_WITHIN, self._fail, "no end of the answer")
        began = time.perf_counter()
        transport.write(self._target.request(body))
        try:
            await ended
        finally:
            timer.cancel()
        seconds = time.perf_counter() - began
        whole = b"".join(self._parts)
        if self._status != _OK:
            msg = f"HTTP {self._status} {whole[:300]!r}"
            raise RequestFailedError(msg)
        first = self._first_body - began
        gaps = tuple(later - earlier for earlier, later in pairwise(self._reads))
        return Answer(whole, seconds, first, self._first_delta - began, gaps)

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    def _begin(self) -> asyncio.Future[None]:
        self._parts, self._reads, self._status = [], [], 0
        self._first_body = self._first_delta = 0.0
        self._ended = self._loop.create_future()
        return self._ended

    async def _connected(self) -> asyncio.Transport:
        if self._transport is not None and not self._transport.is_closing():
            return self._transport
        self._parser = httptools.HttpResponseParser(self)
        try:
            host, port = self._target.host, self._target.port
            transport, _ = await self._loop.create_connection(lambda: self, host, port)
        except OSError as error:
            msg = f"no connection: {error}"
            raise RequestFailedError(msg) from error
        return transport

    def _fail(self, why: str) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_exception(RequestFailedError(why))
        self.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio: connected."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio: the connection is gone."""
        self._transport = None
        self._fail(f"connection lost: {exc}")

    def data_received(self, data: bytes) -> None:
        """Asyncio: bytes have come."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(f"not HTTP: {error}")

    def on_headers_complete(self) -> None:
        """Httptools: the status is known."""
        self._status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        """Httptools: a piece of the body."""
        now = time.perf_counter()
        if not self._parts:
            self._first_body = now
        if not self._first_delta and _DELTA in body:
            self._first_delta = now
        self._parts.append(body)
        self._reads.append(now)

    def on_message_complete(self) -> None:
        """Httptools: the answer is whole."""
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)
