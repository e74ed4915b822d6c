"""A TCP proxy that a test can make into any kind of broken network, in one direction or both."""

import asyncio
import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum, auto

from turnwire_dev.instance.ports import LOOPBACK

_READ_BYTES = 64 * 1024
_RESET = struct.pack("ii", 1, 0)


class Flow(Enum):
    """What becomes of bytes that go in one direction."""

    PASS = auto()
    """They arrive."""
    HOLD = auto()
    """They wait, and the ends of connections with them; all of it arrives after `heal`."""
    LOSE = auto()
    """They never arrive: the network has forgotten the connection; it stays dead after `heal`."""


@dataclass
class _Direction:
    """From one end of all connections to the other."""

    losses: int = 0
    """How often connections were lost; those that were open then are lost for good."""
    passing: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.passing.set()

    def become(self, flow: Flow) -> None:
        self.losses += flow is Flow.LOSE
        if flow is Flow.PASS:
            self.passing.set()
        else:
            self.passing.clear()

    async def passes(self, losses: int) -> None:
        """Wait until bytes of a connection pass, which was opened after so many losses."""
        await self.passing.wait()
        if losses != self.losses:
            await asyncio.Event().wait()


class Proxy:
    """Stands between clients and one server on this machine."""

    def __init__(self, target_port: int) -> None:
        """`target_port` is where the server listens; nothing listens here before `start`."""
        self._target_port = target_port
        self._there = _Direction()
        self._back = _Direction()
        self._refusing = False
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.accepted = 0
        """How many connections were opened."""

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._accept, LOOPBACK, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening, and drop all connections."""
        if self._server is not None:
            self._server.close()
        self._drop()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # What a test does to the network.

    def hold(self, *, there: bool = True, back: bool = True) -> None:
        """Let nothing arrive until `heal`: connections stay open, and new ones wait as well."""
        self._become(Flow.HOLD, there=there, back=back)

    def lose(self, *, there: bool = True, back: bool = True) -> None:
        """Let nothing arrive, from connections that are open now not even after `heal`."""
        self._become(Flow.LOSE, there=there, back=back)

    def refuse(self) -> None:
        """Reset all connections, and each new one, until `heal`."""
        self._refusing = True
        self._drop()

    def reset(self) -> None:
        """Reset all connections once; new ones work."""
        self._drop()

    def heal(self) -> None:
        """Be a good network again."""
        self._refusing = False
        self._there.become(Flow.PASS)
        self._back.become(Flow.PASS)

    def _become(self, flow: Flow, *, there: bool, back: bool) -> None:
        if there:
            self._there.become(flow)
        if back:
            self._back.become(flow)

    def _drop(self) -> None:
        for writer in list(self._writers):
            _reset(writer)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._writers.add(writer)
        try:
            if self._refusing:
                return
            # A held network does not even carry the first packet of a connection.
            await self._there.passing.wait()
            await self._carry(reader, writer)
        except (OSError, asyncio.CancelledError):
            # Cancelled only by `stop`, which waits for it; asyncio would tell of it as an error.
            return
        finally:
            self._writers.discard(writer)
            _reset(writer)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lost = self._there.losses, self._back.losses
        far_reader, far_writer = await asyncio.open_connection(LOOPBACK, self._target_port)
        self._writers.add(far_writer)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_pump(reader, far_writer, self._there, lost[0]))
                both.create_task(_pump(far_reader, writer, self._back, lost[1]))
        except* (OSError, RuntimeError):
            # Broken off; uvloop says of a closed connection that its handle is closed.
            pass
        finally:
            self._writers.discard(far_writer)
            _reset(far_writer)


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: _Direction, losses: int
) -> None:
    while data := await reader.read(_READ_BYTES):
        await direction.passes(losses)
        writer.write(data)
        await writer.drain()
    # The end of a connection is a packet like others.
    await direction.passes(losses)
    writer.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection so that its peer sees a reset."""
    sock: socket.socket | None = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() != -1:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()


@asynccontextmanager
async def proxy_to(port: int) -> AsyncGenerator[Proxy]:
    """Run a proxy in front of a server on this machine."""
    proxy = Proxy(port)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
