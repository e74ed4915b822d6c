"""ServerConnections to one server: kept open between requests, and closed when it falls silent.

One timer watches all of them; none is set for a read.
"""

import asyncio
import ssl
from typing import Final, cast

from msgspec import Struct

from turnwire_orchestrator.backend_http.answer import Answer, DisconnectedError, SilentError

KEPT_S: Final = 60.0
"""How long a connection is kept that nothing is asked on; servers keep theirs for a minute, too."""

_LOOKS_A_SILENCE: Final = 8
_LONGEST_TICK_S: Final = 1.0


class UnreachableError(Exception):
    """There is no connection to the server."""


class ServerOrigin(Struct, frozen=True):
    """Where a server listens."""

    host: str
    port: int
    is_secure: bool


class _Connection(asyncio.Protocol):
    """Answers one request at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._answer: Answer | None = None
        self.is_open = False
        self.free_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        if self._answer is None:
            # Nothing was asked.
            self.close()
        else:
            self._answer.feed(data, self._loop.time())

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.is_open = False
        if self._answer is not None:
            self._answer.end()

    def ask(self, connections: "ServerConnections", request: bytes) -> Answer:
        transport = self._transport
        if transport is None or not self.is_open:
            raise DisconnectedError

        def released(answer: Answer) -> None:
            self._answer = None
            connections.take_back(self, answer)

        self._answer = Answer(transport, released, self._loop.time())
        transport.write(request)
        return self._answer

    def close(self) -> None:
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()


class ServerConnections:
    """As many connections to one server as there are requests at once; further ones are kept."""

    def __init__(self, origin: ServerOrigin, connect_s: float, idle_s: float) -> None:
        """A connection may take `connect_s`; the server may be silent for `idle_s`."""
        self._origin = origin
        self._connect_s = connect_s
        self._idle_s = idle_s
        self._loop = asyncio.get_running_loop()
        self._free: list[_Connection] = []
        self._busy: dict[Answer, _Connection] = {}
        self._tls = ssl.create_default_context() if origin.is_secure else None
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False

    async def ask(self, request: bytes, *, fresh: bool = False) -> Answer:
        """Send a request and wait for the head of its answer, which must be released.

        `fresh`: on a new connection. Raises `UnreachableError`, `AnswerBrokenError`.
        """
        connection = self._kept() if not fresh else None
        if connection is None:
            connection = await self._opened()
        answer = connection.ask(self, request)
        self._busy[answer] = connection
        self._watch()
        try:
            await answer.head()
        except BaseException:
            answer.release()
            raise
        return answer

    def take_back(self, connection: _Connection, answer: Answer) -> None:
        """Keep a connection for the next request, if it can be used again."""
        if self._busy.pop(answer, None) is None:
            return
        if answer.leaves_connection_open and connection.is_open and not self._is_closed:
            connection.free_since = self._loop.time()
            self._free.append(connection)
            self._watch()
        else:
            connection.close()

    def close(self) -> None:
        """End all connections."""
        self._is_closed = True
        for connection in (*self._free, *self._busy.values()):
            connection.close()
        self._free.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _kept(self) -> _Connection | None:
        while self._free:
            connection = self._free.pop()
            if connection.is_open:
                return connection
        return None

    async def _opened(self) -> _Connection:
        origin = self._origin
        connection = _Connection(self._loop)
        try:
            async with asyncio.timeout(self._connect_s):
                await self._loop.create_connection(
                    lambda: connection, origin.host, origin.port, ssl=self._tls
                )
        except (OSError, UnicodeError) as error:
            raise UnreachableError(type(error).__name__) from error
        return connection

    def _watch(self) -> None:
        if self._timer is None and not self._is_closed:
            tick_s = min(_LONGEST_TICK_S, self._idle_s / _LOOKS_A_SILENCE)
            self._timer = self._loop.call_later(tick_s, self._look)

    def _look(self) -> None:
        """Give up those that are silent, and close what was not used for long."""
        self._timer = None
        now = self._loop.time()
        for answer in list(self._busy):
            if answer.is_silent(now - self._idle_s):
                answer.fail(SilentError())
        old = [each for each in self._free if each.free_since <= now - KEPT_S or not each.is_open]
        for connection in old:
            self._free.remove(connection)
            connection.close()
        if self._busy or self._free:
            self._watch()
