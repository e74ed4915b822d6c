"""One HTTP connection: httptools parses, requests are answered one after another."""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, cast

import httptools

from scripted_backend.performance import Performance, http_head
from scripted_backend.player import Gate, Player


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request whose body has arrived. Header names are lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    connection: int
    keep_alive: bool


class Host(Protocol):
    """What a connection needs to know of its server."""

    gate: Gate

    def joined(self, connection: "Connection") -> int:
        """Take note of a new connection; gives its number."""
        ...

    def parted(self, connection: "Connection") -> None:
        """Take note of the end of a connection."""
        ...

    def answer(self, request: HttpRequest) -> Performance | bytes:
        """Give an answer to perform, or a whole response that is not counted."""
        ...

    def ended(self, tokens: int, *, left: bool) -> None:
        """Take note of the end of a performance."""
        ...


class Connection(asyncio.Protocol):
    """Speaks HTTP/1.1 with one client."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._queue: deque[HttpRequest] = deque()
        self._player: Player | None = None
        self._url, self._body = b"", list[bytes]()
        self._headers: dict[str, str] = {}
        self._keep_alive = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio: the client has connected."""
        self.transport = cast("asyncio.Transport", transport)
        self._parser = httptools.HttpRequestParser(self)
        self._number = self._host.joined(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Asyncio: the connection is gone, whoever ended it."""
        self._queue.clear()
        if self._player is not None:
            player, self._player = self._player, None
            player.stop()
            self._host.ended(player.sent, left=True)
        self._host.parted(self)

    def data_received(self, data: bytes) -> None:
        """Asyncio: bytes have come."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.write(http_head(400, "text/plain", 0))
            self.transport.close()

    def on_message_begin(self) -> None:
        """Httptools: a request starts."""
        self._url, self._body, self._headers = b"", [], {}

    def on_url(self, url: bytes) -> None:
        """Httptools: a piece of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Httptools: one header."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")
        if name.lower() == b"expect":
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """Httptools: a piece of the body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Httptools: the request is whole."""
        request = HttpRequest(
            method=self._parser.get_method().decode(),
            path=self._url.split(b"?", 1)[0].decode("latin-1"),
            headers=self._headers,
            body=b"".join(self._body),
            connection=self._number,
            keep_alive=self._parser.should_keep_alive(),
        )
        if self._player is None:
            self._handle(request)
        else:
            self._queue.append(request)

    def _handle(self, request: HttpRequest) -> None:
        self._keep_alive = request.keep_alive
        answer = self._host.answer(request)
        if isinstance(answer, bytes):
            self.transport.write(answer)
            self._go_on()
        else:
            self._player = Player(answer, self.transport, self._host.gate, self._performed)
            self._player.start()

    def _performed(self) -> None:
        if self._player is not None:
            player, self._player = self._player, None
            self._host.ended(player.sent, left=False)
        self._go_on()

    def _go_on(self) -> None:
        if not self._keep_alive:
            self.transport.close()
        elif self._queue and not self.transport.is_closing():
            self._handle(self._queue.popleft())
