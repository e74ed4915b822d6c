"""HTTP/1.1 as uvicorn reads and writes it, except for what RFC 9110 and 9112 say otherwise."""

import asyncio
import re
from http import HTTPStatus
from typing import Any, Final

import httptools
import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from turnwire_chassis.http.framing import close_delimited, closing_unless_continued, offer_writing
from turnwire_contracts.errors.catalogue import failure
from turnwire_contracts.wire.response import error_envelope

_OFFER: Final = {b"upgrade", b"http2-settings"}
_END_OF_AUTHORITY: Final = re.compile(rb"[/?#]")
_OPTIONAL_WHITESPACE: Final = b" \t"
_LARGEST_HEAD: Final = 1024 * 1024
"""Bytes. What comes in one read is not counted, so that a request that is all there costs none."""

_REFUSED: Final = (
    b"HTTP/1.1 %d %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
    b"connection: close\r\n\r\n%b"
)


class Http11Protocol(HttpToolsProtocol):
    """Ignores offers to change the protocol, and asks the request target for the host.

    The parser stops behind the head of a request that offers an upgrade, and its body is lost. Only
    WebSockets are taken here; every other offer may be ignored (RFC 9110 §7.8), as Java's HTTP
    client expects that offers `h2c` with every request. So such a head is read again without it.

    An idle connection is closed after the keep-alive time. It also counts while a head is coming,
    and while the rest of a body is read and dropped behind an answer that came before it.
    """

    _head_bytes: int | None = None
    """How long a head is that is not whole yet."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request (asyncio)."""
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def data_received(self, data: bytes) -> None:
        """Read what has come (asyncio)."""
        if self._head_bytes is not None:
            self._head_bytes += len(data)
            if self._head_bytes > _LARGEST_HEAD:
                self._refuse(
                    "request_header_fields_too_large",
                    f"The request line and headers are larger than {_LARGEST_HEAD} bytes. Send "
                    "fewer or smaller headers.",
                )
                return
        try:
            self._read(data)
        except httptools.HttpParserError as error:
            self.logger.warning("Invalid HTTP request received.")
            self._refuse(
                "invalid_http_request",
                f"This is no HTTP/1.1 request that can be read: {error}.",
            )

    def on_message_begin(self) -> None:
        """Begin to read a head (httptools)."""
        self._head_bytes = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, without the whitespace around its value (RFC 9110 §5.5); no trailer.

        Trailers must not be taken for headers (RFC 9110 §6.5.1).
        """
        if self._head_bytes is not None:
            super().on_header(name, value.strip(_OPTIONAL_WHITESPACE))

    def on_headers_complete(self) -> None:
        """Begin a request, unless its head will be read again (httptools)."""
        self._head_bytes = None
        self._unset_keepalive_if_required()
        if not self.url.startswith(b"/"):
            self._take_host_of_target()
        if self.parser.get_http_version() == "1.0":
            # RFC 9110 §10.1.1: such a client knows no `100 Continue`.
            self.expect_100_continue = False
        if not self.parser.should_upgrade() or self._should_upgrade() or self._is_connect():
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """End a request; one that offers an upgrade has not begun yet (httptools)."""
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        offer_writing(cycle)
        if cycle.scope["http_version"] == "1.0":
            app = close_delimited(app, cycle)
        elif cycle.waiting_for_100_continue:
            app = closing_unless_continued(app, cycle)
        super()._start_asgi_task(cycle, app)

    def _refuse(self, code: str, message: str) -> None:
        """End the connection with an error, unless that would stand inside of another answer."""
        cycle = self.cycle
        if not (cycle and cycle.response_started and not cycle.response_complete):
            refusal = failure(code, message)
            status = HTTPStatus(refusal.http_status)
            body = orjson.dumps(error_envelope(refusal))
            self.transport.write(_REFUSED % (status, status.phrase.encode(), len(body), body))
        self.transport.close()

    def _read(self, data: bytes) -> None:
        while True:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as stop:
                if self._should_upgrade():
                    self.handle_websocket_upgrade()
                    return
                if self._is_connect():
                    return
                data = self._head_without_offer() + data[stop.args[0] :]
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            else:
                return

    def _should_upgrade(self) -> bool:
        """Tell whether a WebSocket begins: RFC 6455 §4.1 asks for `GET` and HTTP/1.1."""
        return (
            self.parser.get_method() == b"GET"
            and self.parser.get_http_version() == "1.1"
            and super()._should_upgrade()
        )

    def _is_connect(self) -> bool:
        return self.parser.get_method() == b"CONNECT"

    def _head_without_offer(self) -> bytes:
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        for name, value in self.headers:
            if name == b"connection":
                tokens = (token.strip() for token in value.split(b","))
                kept = b", ".join(each for each in tokens if each.lower() not in _OFFER)
                lines.append(b"connection: " + kept)
            elif name not in _OFFER:
                lines.append(name + b": " + value)
        return b"\r\n".join([*lines, b"", b""])

    def _take_host_of_target(self) -> None:
        """Let `GET http://name/path` say the host, whatever `Host` says (RFC 9112 §3.2.2)."""
        _, absolute, rest = self.url.partition(b"://")
        if absolute:
            authority = _END_OF_AUTHORITY.split(rest, maxsplit=1)[0]
            self.headers[:] = [each for each in self.headers if each[0] != b"host"]
            self.headers.append((b"host", authority))
