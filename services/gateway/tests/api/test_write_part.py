"""Parts of an answer are written without a task as long as the client takes them."""

import asyncio
from typing import Any

from turnwire_chassis.http.framing import write_of
from turnwire_testing.listening import listening
from turnwire_testing.raw_http import raw

MOST_HELD = 64 * 1024 * 1024
"""More than the kernel takes for one connection on both sides, and the server beside."""
PART = b"x" * 256 * 1024
REQUEST = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"


async def test_a_client_that_does_not_read_is_written_little_until_it_reads_again() -> None:
    written: list[bytes] = []
    is_full = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        del receive
        if scope["type"] != "http":
            return
        write = write_of(scope)
        assert write is not None
        assert not write(b"before the head")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        while write(PART):
            written.append(PART)
            assert sum(map(len, written)) < MOST_HELD
        is_full.set()
        # Waits until the client has taken all that was held.
        await send({"type": "http.response.body", "body": b"sent", "more_body": True})
        assert not write(b"")
        assert write(b"again")
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        assert not write(b"behind the end")

    async with listening(app) as url, raw(url) as connection:
        await connection.send(REQUEST)
        await is_full.wait()
        assert (await connection.head())[0] == 200
        assert await connection.chunks() == b"".join([b"begun", *written, b"sent", b"again"])


async def test_nothing_is_written_without_chunks() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        del receive
        if scope["type"] != "http":
            return
        write = write_of(scope)
        assert write is not None
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"whole", "more_body": True})
        assert not write(b"more")
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async with listening(app) as url, raw(url) as connection:
        await connection.send(b"GET / HTTP/1.0\r\n\r\n")
        assert (await connection.head())[0] == 200
        assert await connection.rest() == b"whole"
