"""HTTP/1.1 as bytes on a socket: what no client library would send."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import orjson

from turnwire_contracts.json_values import JSON

_WITHIN_S = 60.0


@dataclass(frozen=True)
class Reply:
    """One answer."""

    status: int
    headers: list[tuple[str, str]]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> JSON:
        """The body as JSON."""
        return orjson.loads(self.body)

    @property
    def code(self) -> str | None:
        """The code of an error, which must have OpenAI's envelope."""
        error = self.json["error"]
        assert {"message", "type", "param", "code"} <= set(error)
        return error["code"]

    def header(self, name: str) -> str | None:
        """The value of a header, if there is exactly one."""
        values = [value for each, value in self.headers if each == name]
        assert len(values) <= 1, (name, values)
        return values[0] if values else None


class RawConnection:
    """A connection that stays open as long as both sides let it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Nothing has been sent."""
        self._reader = reader
        self._writer = writer

    async def send(self, *pieces: bytes) -> None:
        """Send bytes, each piece in a segment of its own."""
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()
            # The server shares the loop: it reads this piece before the next one is written.
            await asyncio.sleep(0)

    async def reply(self, *, head: bool = False) -> Reply:
        """Read one answer; `head`: to a HEAD, which has no body."""
        async with asyncio.timeout(_WITHIN_S):
            status, headers = await self.head()
            told = dict(headers)
            if head or status < 200 or status == 204:
                body = b""
            elif told.get("transfer-encoding") == "chunked":
                body = await self.chunks()
            else:
                body = await self._reader.readexactly(int(told["content-length"]))
        return Reply(status, headers, body)

    async def rest(self) -> bytes:
        """Read until the server closes the connection."""
        async with asyncio.timeout(_WITHIN_S):
            return await self._reader.read()

    async def head(self) -> tuple[int, list[tuple[str, str]]]:
        """Read what stands above a body: the status, and the headers with names in lower case."""
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines[1:] if line)
        headers = [(name.lower(), value.strip()) for name, _, value in pairs]
        return int(lines[0].split(" ")[1]), headers

    async def chunks(self) -> bytes:
        """Read a body that comes in chunks."""
        body = b""
        while chunk := await self.chunk():
            body += chunk
        return body

    async def chunk(self) -> bytes:
        """Read the next chunk of a body; the last one is empty."""
        async with asyncio.timeout(_WITHIN_S):
            size = int(await self._reader.readline(), 16)
            chunk = await self._reader.readexactly(size)
            await self._reader.readline()
        return chunk


@asynccontextmanager
async def raw(url: str) -> AsyncGenerator[RawConnection]:
    """Connect to the server of a URL."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        yield RawConnection(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def request(method: str, target: str, headers: list[str], body: bytes = b"") -> bytes:
    """Write a request with exactly these header lines, and the length of a body."""
    length = [f"Content-Length: {len(body)}"] if body else []
    head = "\r\n".join([f"{method} {target} HTTP/1.1", *headers, *length, "", ""])
    return head.encode("latin-1") + body
