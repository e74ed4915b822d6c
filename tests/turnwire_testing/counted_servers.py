"""Raw HTTP servers that count who comes, and a resolver that answers as it is told."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

_WRITTEN_AT_ONCE = 4096

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Counted:
    """A listening server, what it was asked, and how many connections it has accepted."""

    port: int
    heads: list[bytes] = field(default_factory=list[bytes])
    accepted: int = 0


@contextlib.asynccontextmanager
async def served(
    answer: Answer, address: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[Counted]:
    """Give this answer to each request; requests have no body."""
    counted = Counted(port)
    meetings: set[asyncio.Task[None]] = set()

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        counted.accepted += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                counted.heads.append(await reader.readuntil(b"\r\n\r\n"))
                await answer(writer)
                await writer.drain()

    def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        meeting = asyncio.create_task(meet(reader, writer))
        meetings.add(meeting)
        meeting.add_done_callback(lambda _: writer.close())

    server = await asyncio.start_server(met, address, port, ssl=tls)
    counted.port = server.sockets[0].getsockname()[1]
    try:
        yield counted
    finally:
        server.close()
        for meeting in meetings:
            meeting.cancel()
        await asyncio.gather(*meetings, return_exceptions=True)
        await server.wait_closed()


def says(text: str, head: str = "content-type: text/plain", status: int = 200) -> Answer:
    """Answer with a short text."""
    answer = f"HTTP/1.1 {status} X\r\n{head}\r\ncontent-length: {len(text)}\r\n\r\n{text}"

    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(answer.encode())

    return write


def never_stops(head: bytes, part: bytes) -> Answer:
    """Answer with this head and then the same part for ever."""

    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        parts = part * max(1, _WRITTEN_AT_ONCE // len(part))
        while True:
            writer.write(parts)
            await writer.drain()

    return write


@dataclass
class Resolver:
    """Looks names up in a list of answers; the last one stays."""

    answers: list[Sequence[str]]
    asked: list[str] = field(default_factory=list[str])

    async def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
