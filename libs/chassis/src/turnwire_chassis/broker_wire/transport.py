"""The socket to the broker: messages with a listener are handed over as they are read.

nats-py reads by a task, which puts each message into the queue of its subscription, which wakes
that subscription's task: three turns of the event loop, each with a system call, for one message.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Final, Protocol
from urllib.parse import ParseResult

from nats.aio.transport import TcpTransport

_MESSAGE: Final = b"MSG "
_END: Final = b"\r\n"


class Take(Protocol):
    """Hears a message at once: its subject, and its body. Must not block."""

    def __call__(self, subject: bytes, body: bytes, /) -> None:
        """Hear it."""
        ...


class Listeners:
    """Who hears the messages of which subscription as they are read, by its number."""

    def __init__(self, failed: Callable[[Exception], None]) -> None:
        """`failed` is told what a listener raises."""
        self._by_number: dict[int, Take] = {}
        self._failed = failed

    def add(self, number: int, take: Take) -> None:
        """Hand over what comes for a subscription."""
        self._by_number[number] = take

    def remove(self, number: int) -> None:
        """Hand over nothing more; what is not there is no error."""
        self._by_number.pop(number, None)

    def hear(self, number: int, subject: bytes, body: bytes) -> bool:
        """Hand a message over; tells whether there is a listener."""
        take = self._by_number.get(number)
        if take is None:
            return False
        try:
            take(subject, body)
        except Exception as error:  # noqa: BLE001 -- as nats-py does with those of its callbacks
            self._failed(error)
        return True

    def take(self, data: bytes) -> bytes:
        """Hand over the messages that `data` begins with; gives what is left for nats-py.

        NATS client protocol: `MSG <subject> <sid> [reply-to] <#bytes>␍␊[payload]␍␊`.
        """
        start = 0
        while data.startswith(_MESSAGE, start):
            line_end = data.find(_END, start)
            if line_end < 0:
                break
            words = data[start + len(_MESSAGE) : line_end].split(b" ")
            body_start = line_end + len(_END)
            body_end = body_start + int(words[-1])
            if body_end + len(_END) > len(data):
                break
            if not self.hear(int(words[1]), words[0], data[body_start:body_end]):
                break
            start = body_end + len(_END)
        return data[start:] if start else data


class _Reader(asyncio.StreamReader):
    """What nats-py reads from; gets only what no listener hears."""

    def __init__(self, listeners: Listeners, limit: int) -> None:
        super().__init__(limit)
        self._listeners = listeners
        self.is_idle = False
        """Whether nats-py has handled all that it was given, and waits for more."""

    def feed_data(self, data: bytes) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] -- what transports give
        if self.is_idle:
            data = self._listeners.take(data)
            if not data:
                return
            self.is_idle = False
        super().feed_data(data)


class _Protocol(asyncio.StreamReaderProtocol):
    """Knows whether the kernel takes more."""

    is_open = is_writable = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.is_open = self.is_writable = True
        super().connection_made(transport)

    def pause_writing(self) -> None:
        self.is_writable = False
        super().pause_writing()

    def resume_writing(self) -> None:
        self.is_writable = True
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = self.is_writable = False
        super().connection_lost(exc)


class ListeningTransport(TcpTransport):
    """nats-py's transport over TCP and TLS, whose messages with a listener are read at once."""

    def __init__(self, listeners: Listeners, is_parsed: Callable[[], bool]) -> None:
        """`is_parsed`: whether nats-py has no half message."""
        super().__init__()
        self._listeners = listeners
        self._is_parsed = is_parsed
        self._protocol: _Protocol | None = None

    @property
    def is_writable(self) -> bool:
        """Whether what is written now leaves at once."""
        return self._protocol is not None and self._protocol.is_writable

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._protocol is not None and self._protocol.is_open

    async def connect(self, uri: ParseResult, buffer_size: int, connect_timeout: int) -> None:
        """See nats-py."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(connect_timeout):
            transport, _ = await loop.create_connection(
                lambda: self._made(buffer_size), uri.hostname or "", uri.port or 0
            )
        self._bare_io_reader, self._bare_io_writer = self._opened(transport)

    async def connect_tls(
        self,
        uri: ParseResult | str,
        ssl_context: ssl.SSLContext,
        buffer_size: int,
        connect_timeout: int,
    ) -> None:
        """See nats-py."""
        if self._io_writer is None:
            raise ConnectionError("TLS needs a connection")
        bare, name = self._io_writer.transport, uri if isinstance(uri, str) else uri.hostname
        protocol = self._made(buffer_size)
        async with asyncio.timeout(connect_timeout):
            transport = await asyncio.get_running_loop().start_tls(
                bare, protocol, ssl_context, server_hostname=name
            )
        if transport is None:
            raise ConnectionError("the connection ended while TLS began")
        protocol.is_open = protocol.is_writable = True
        self._opened(transport)

    async def read(self, buffer_size: int) -> bytes:
        """See nats-py; only its read loop reads, and does so when it has handled what it has."""
        reader = self._io_reader
        if not isinstance(reader, _Reader):
            raise ConnectionError("nothing is read before it is connected")
        reader.is_idle = self._is_parsed()
        try:
            return await reader.read(buffer_size)
        finally:
            reader.is_idle = False

    def __bool__(self) -> bool:
        """Tell whether there is a connection; one is about to be, or nats-py would make its own."""
        return self._protocol is None or super().__bool__()

    def _made(self, limit: int) -> _Protocol:
        self._reading = _Reader(self._listeners, limit)
        self._protocol = _Protocol(self._reading, loop=asyncio.get_running_loop())
        return self._protocol

    def _opened(
        self, transport: asyncio.Transport
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, protocol = self._reading, self._protocol
        writer = asyncio.StreamWriter(transport, protocol, reader, asyncio.get_running_loop())  # pyright: ignore[reportArgumentType] -- set by `_made`
        self._io_reader, self._io_writer = reader, writer
        return reader, writer
