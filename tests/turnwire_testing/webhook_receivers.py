"""A receiver of webhooks on this machine: it keeps what it is sent, and answers as it is told."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

from turnwire_dev.instance.ports import LOOPBACK
from turnwire_testing.waiting import eventually


@dataclass(frozen=True)
class Posted:
    """One attempt that came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event_id(self) -> str:
        """What tells duplicates."""
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        """What the body says."""
        return orjson.loads(self.body)


Answering = Callable[[Posted], Awaitable[str]]
"""Gives the status line behind `HTTP/1.1` and further headers, such as `200 OK`."""


async def taken(_: Posted) -> str:
    """Take everything."""
    return "200 OK"


def always(answer: str) -> Answering:
    """Give the same answer to everything."""

    async def answering(_: Posted) -> str:
        return answer

    return answering


@dataclass
class WebhookReceiver:
    """One receiver."""

    answering: Answering = taken
    url: str = ""
    posted: list[Posted] = field(default_factory=list[Posted])
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set[asyncio.StreamWriter])

    @property
    def port(self) -> int:
        """The port, which it keeps when it comes again."""
        return int(self.url.split(":")[2].partition("/")[0]) if self.url else 0

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._meet, LOOPBACK, self.port)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://{LOOPBACK}:{port}/hook"

    async def stop(self) -> None:
        """Drop all connections, and take no more."""
        if self._server is not None:
            self._server.close()
            for writer in self._writers:
                writer.transport.abort()
            await self._server.wait_closed()
            self._server = None

    async def has(self, *event_ids: str, within_s: float = 20.0) -> None:
        """Wait until each of these events has come."""

        async def came() -> bool:
            return {*event_ids} <= {each.event_id for each in self.posted}

        await eventually(came, within_s)

    async def first(self, of: Callable[[Posted], bool], within_s: float = 20.0) -> Posted:
        """Wait until one of a kind has come; gives the first."""

        async def came() -> bool:
            return any(map(of, self.posted))

        await eventually(came, within_s)
        return next(filter(of, self.posted))

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                posted = await _read(reader)
                self.posted.append(posted)
                answer = await self.answering(posted)
                writer.write(f"HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n".encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()


@asynccontextmanager
async def receiving(answering: Answering = taken) -> AsyncGenerator[WebhookReceiver]:
    """Run a receiver."""
    receiver = WebhookReceiver(answering)
    await receiver.start()
    try:
        yield receiver
    finally:
        await receiver.stop()


async def _read(reader: asyncio.StreamReader) -> Posted:
    head, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Posted(head.split()[1], headers, body)
