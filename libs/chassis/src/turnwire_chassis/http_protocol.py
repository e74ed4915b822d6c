"""HTTP/1.1 as uvicorn reads it, except for two things that it reads past."""

import re
from typing import Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_OFFER: Final = {b"upgrade", b"http2-settings"}
_END_OF_AUTHORITY: Final = re.compile(rb"[/?#]")


class Http11Protocol(HttpToolsProtocol):
    """Ignores offers to change the protocol, and asks the request target for the host.

    The parser stops behind the head of a request that offers an upgrade, and its body is lost. Only
    WebSockets are taken here; every other offer may be ignored (RFC 9110 §7.8), as Java's HTTP
    client expects that offers `h2c` with every request. So such a head is read again without it.
    """

    def data_received(self, data: bytes) -> None:
        """Read what has come (asyncio)."""
        self._unset_keepalive_if_required()
        try:
            self._read(data)
        except httptools.HttpParserError:
            message = "Invalid HTTP request received."
            self.logger.warning(message)
            self.send_400_response(message)

    def on_headers_complete(self) -> None:
        """Begin a request, unless its head will be read again (httptools)."""
        if not self.url.startswith(b"/"):
            self._take_host_of_target()
        if not self.parser.should_upgrade() or self._should_upgrade() or self._is_connect():
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """End a request; one that offers an upgrade has not begun yet (httptools)."""
        if not self.parser.should_upgrade():
            super().on_message_complete()

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
