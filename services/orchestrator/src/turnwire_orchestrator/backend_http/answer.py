"""One answer as it comes over a connection: its head, then its body in pieces, unread by others.

What one read of the socket brings is parsed at once, and wakes who waits for it once.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import httptools

_MOST_UNREAD_BYTES: Final = 1024 * 1024
_INFORMATIONAL: Final = range(100, 200)


class AnswerBrokenError(Exception):
    """An answer did not come, or not to its end."""


class DisconnectedError(AnswerBrokenError):
    """The server ended the connection."""


class NotHttpError(AnswerBrokenError):
    """What came is no HTTP/1.1."""


class SilentError(AnswerBrokenError):
    """Nothing came for too long."""


class Answer:
    """Filled by its connection; read with `async for`, once `head` has come."""

    def __init__(
        self, transport: asyncio.Transport, released: Callable[["Answer"], None], now: float
    ) -> None:
        """`released` is told when the answer is no longer read. `now`: by the loop's clock."""
        self.status = 0
        self.reason = ""
        self._fields: dict[str, str] = {}
        self._transport = transport
        self._released = released
        self._parser = _parser(self)
        self._pieces: list[bytes] = []
        self._unread_bytes = 0
        self._is_paused = False
        self._has_head = self._ends_with_connection = self._has_excess = False
        self._keeps_alive = False
        self._error: AnswerBrokenError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.is_whole = False
        self.heard_at = now
        """When the server last sent anything, by the loop's clock."""

    @property
    def headers(self) -> Mapping[str, str]:
        """By name in lower case; what came several times is joined by commas (RFC 9110 §5.3)."""
        return self._fields

    @property
    def has_begun(self) -> bool:
        """Whether any of it has come."""
        return self._has_head

    @property
    def media_type(self) -> str:
        """The `Content-Type` without parameters, in lower case; empty if there is none."""
        return self._fields.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def at_end(self) -> bool:
        """Whether all of it came and was read."""
        return self.is_whole and not self._pieces

    @property
    def leaves_connection_open(self) -> bool:
        """Whether the connection can be used again."""
        return self.at_end and self._keeps_alive and not self._has_excess

    async def head(self) -> None:
        """Wait for status and headers. Raises `AnswerBrokenError`."""
        while not self._has_head:
            await self._more()

    def __aiter__(self) -> "Answer":
        """Read the body as it comes."""
        return self

    async def __anext__(self) -> bytes:
        """Give all that has come. Raises `AnswerBrokenError` behind what came before."""
        while not self._pieces:
            if self.is_whole:
                raise StopAsyncIteration
            await self._more()
        pieces, self._pieces, self._unread_bytes = self._pieces, [], 0
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def release(self) -> None:
        """Read no more: with something unread the connection is closed, which stops the model."""
        self._released(self)

    async def _more(self) -> None:
        if self._error is not None:
            raise self._error
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter

    # What its connection does.

    def feed(self, data: bytes, now: float) -> None:
        """Take what one read has brought."""
        self.heard_at = now
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.fail(NotHttpError("another protocol"))
        except httptools.HttpParserError as error:
            self.fail(NotHttpError(str(error)))
        if self._unread_bytes > _MOST_UNREAD_BYTES and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()
        self._wake()

    def end(self) -> None:
        """Know that the connection has ended."""
        if self._has_head and self._ends_with_connection and self._error is None:
            self.is_whole = True
            self._wake()
        else:
            self.fail(DisconnectedError())

    def fail(self, error: AnswerBrokenError) -> None:
        """Tell who reads, unless all has come."""
        if not self.is_whole and self._error is None:
            self._error = error
            self._wake()

    def is_silent(self, since: float) -> bool:
        """Tell whether nothing has come since then, although it could."""
        return self.heard_at <= since and not (self.is_whole or self._is_paused)

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # What httptools calls.

    def on_status(self, status: bytes) -> None:
        """Take the reason phrase."""
        if not self.is_whole:
            self.reason = status.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; a trailer says nothing that is needed."""
        if not self._has_head:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1").strip()
            self._fields[key] = f"{self._fields[key]}, {text}" if key in self._fields else text

    def on_headers_complete(self) -> None:
        """Begin the body; behind an interim answer another head comes (RFC 9110 §15.2)."""
        if self.is_whole:
            return
        self.status = self._parser.get_status_code()
        if self.status in _INFORMATIONAL:
            self._fields.clear()
            return
        self._has_head = True
        self._keeps_alive = self._parser.should_keep_alive()
        # RFC 9112 §6.3
        self._ends_with_connection = not (
            "content-length" in self._fields or "transfer-encoding" in self._fields
        )

    def on_body(self, body: bytes) -> None:
        """Take a piece."""
        if not self.is_whole:
            self._pieces.append(body)
            self._unread_bytes += len(body)

    def on_message_begin(self) -> None:
        """Note what comes behind the answer: nothing was asked for it."""
        self._has_excess = self.is_whole

    def on_message_complete(self) -> None:
        """End the answer."""
        self.is_whole = self._has_head


def _parser(answer: Answer) -> httptools.HttpResponseParser:
    parser = httptools.HttpResponseParser(answer)
    # Servers are not trusted with shape, nor refused for it.
    parser.set_dangerous_leniencies(
        lenient_headers=True,
        lenient_data_after_close=True,
        lenient_optional_lf_after_cr=True,
        lenient_optional_cr_before_lf=True,
        lenient_spaces_after_chunk_size=True,
    )
    return parser
