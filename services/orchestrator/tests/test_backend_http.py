"""Answers of servers over real sockets, whatever their shape, and the connections they come on."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from turnwire_orchestrator.backend_http.answer import (
    Answer,
    DisconnectedError,
    NotHttpError,
    SilentError,
)
from turnwire_orchestrator.backend_http.connections import (
    ServerConnections,
    ServerOrigin,
    UnreachableError,
)
from turnwire_orchestrator.backend_http.requests import head_of, origin_of, redirected, whole

WITHIN_S = 30.0
REQUEST = whole(head_of("GET", "http://server/v1/models", {}, None), None, {})
OK = b"HTTP/1.1 200 OK\r\n"

Writer = asyncio.StreamWriter
Say = Callable[[Writer, int], Awaitable[None]]


class Server:
    """Answers each request with what a test wants; the requests of a connection count from 0."""

    def __init__(self, say: Say) -> None:
        """Nothing listens yet."""
        self._say = say
        self.connections = 0
        self._serving: set[asyncio.Task[None] | None] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        """Serve one connection."""
        self.connections += 1
        self._serving.add(asyncio.current_task())
        number = 0
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                await self._say(writer, number)
                number += 1
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            # Cancelled only by `stop`, which waits for it; asyncio would tell of it as an error.
            pass
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def stop(self) -> None:
        """End all connections."""
        serving = [each for each in self._serving if each is not None]
        for each in serving:
            each.cancel()
        await asyncio.gather(*serving)


@asynccontextmanager
async def answering(
    say: Say, idle_s: float = WITHIN_S
) -> AsyncGenerator[tuple[Server, ServerConnections]]:
    """Run a server, and have connections to it."""
    server = Server(say)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    connections = ServerConnections(
        ServerOrigin("127.0.0.1", port, is_secure=False), WITHIN_S, idle_s
    )
    try:
        yield server, connections
    finally:
        connections.close()
        listening.close()
        await server.stop()


async def body_of(answer: Answer) -> bytes:
    """Read to the end."""
    async with asyncio.timeout(WITHIN_S):
        body = b"".join([piece async for piece in answer])
    answer.release()
    return body


def saying(*pieces: bytes, then_close: bool = False) -> Say:
    """Say the same to every request, each piece in a write of its own."""

    async def say(writer: Writer, _: int) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if then_close:
            writer.close()

    return say


@pytest.mark.parametrize(
    ("pieces", "closes"),
    [
        ([OK + b"Content-Length: 5\r\n\r\nhello"], False),
        ([OK + b"Content-Length: 5\r\n\r\n", b"he", b"llo"], False),
        ([OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3 \r\nllo\r\n0\r\n\r\n"], False),
        ([OK + b"\r\nhe", b"llo"], True),
        ([b"HTTP/1.0 200 OK\r\n\r\nhello"], True),
        ([b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n", OK + b"Content-Length: 5\r\n\r\nhello"], False),
        ([b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello"], False),
    ],
)  # fmt: skip
async def test_a_body_is_whole_where_its_server_ends_it(
    pieces: list[bytes],
    closes: bool,  # noqa: FBT001 -- a case
) -> None:
    async with answering(saying(*pieces, then_close=closes)) as (_, connections):
        answer = await connections.ask(REQUEST)
        assert (answer.status, await body_of(answer)) == (200, b"hello")
        assert "link" not in answer.headers


@pytest.mark.parametrize(
    "beginning",
    [
        OK + b"Content-Length: 50\r\n\r\nhello",
        OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ],
)
async def test_what_came_before_an_answer_broke_off_is_read_first(beginning: bytes) -> None:
    async with answering(saying(beginning, then_close=True)) as (_, connections):
        answer = await connections.ask(REQUEST)
        assert await anext(answer) == b"hello"
        with pytest.raises(DisconnectedError):
            await anext(answer)
        answer.release()


async def test_a_connection_is_used_again_after_a_whole_answer_and_only_then() -> None:
    async with answering(saying(OK + b"Content-Length: 5\r\n\r\nhello")) as (server, connections):
        for _ in range(3):
            assert await body_of(await connections.ask(REQUEST)) == b"hello"
        assert server.connections == 1
        unread = await connections.ask(REQUEST)
        unread.release()
        assert await body_of(await connections.ask(REQUEST)) == b"hello"
        assert server.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello",
        OK + b"Content-Length: 5\r\n\r\nhello" + OK + b"Content-Length: 0\r\n\r\n",
    ],
)
async def test_a_connection_that_says_more_or_closes_is_not_used_again(answer: bytes) -> None:
    async with answering(saying(answer)) as (server, connections):
        for _ in range(2):
            assert await body_of(await connections.ask(REQUEST)) == b"hello"
        assert server.connections == 2


async def test_answers_come_side_by_side_each_on_its_own_connection() -> None:
    all_asked, asked = asyncio.Event(), 0

    async def say(writer: Writer, _: int) -> None:
        nonlocal asked
        asked += 1
        if asked == 5:
            all_asked.set()
        await all_asked.wait()
        writer.write(OK + b"Content-Length: 2\r\n\r\nok")

    async with answering(say) as (server, connections):
        answers = await asyncio.gather(*(connections.ask(REQUEST) for _ in range(5)))
        assert [await body_of(each) for each in answers] == [b"ok"] * 5
        assert server.connections == 5


@pytest.mark.parametrize("said", [b"", OK + b"Content-Length: 5\r\n\r\nhe"])
async def test_a_server_that_falls_silent_is_given_up(said: bytes) -> None:
    async with answering(saying(said), idle_s=0.05) as (_, connections):
        with pytest.raises(SilentError):
            async with asyncio.timeout(WITHIN_S):
                await body_of(await connections.ask(REQUEST))


async def test_a_reader_that_is_slow_is_not_taken_for_a_silent_server() -> None:
    large = bytes(8 * 1024 * 1024)
    said = [OK + b"Content-Length: %d\r\n\r\n" % len(large), large]
    async with answering(saying(*said), idle_s=0.05) as (_, connections):
        answer = await connections.ask(REQUEST)
        # Longer than a server may be silent: nothing is read, so it can say nothing.
        await asyncio.sleep(0.2)
        assert await body_of(answer) == large


async def test_what_is_no_http_is_told_so() -> None:
    async with answering(saying(b"SSH-2.0-OpenSSH_9.2\r\n")) as (_, connections):
        with pytest.raises(NotHttpError):
            await connections.ask(REQUEST)


async def test_a_server_that_does_not_listen_is_unreachable() -> None:
    connections = ServerConnections(
        ServerOrigin("127.0.0.1", 9, is_secure=False), WITHIN_S, WITHIN_S
    )
    with pytest.raises(UnreachableError):
        await connections.ask(REQUEST)
    connections.close()


def test_a_request_names_its_server_and_the_key() -> None:
    head = head_of("POST", "https://ai.example:8443/v1/a b?x=1", {"Accept": "*/*"}, "key")
    assert head == (
        b"POST /v1/a%20b?x=1 HTTP/1.1\r\nHost: ai.example:8443\r\nUser-Agent: turnwire\r\n"
        b"Accept: */*\r\nAuthorization: Bearer key\r\n"
    )
    assert whole(b"HEAD\r\n", b"{}", {"a": "b"}) == b"HEAD\r\na: b\r\nContent-Length: 2\r\n\r\n{}"


def test_credentials_of_a_url_are_sent_and_no_part_of_the_host() -> None:
    url = "http://ada:" + "se%2Fcret@server/v1"
    head = head_of("GET", url, {}, None)
    assert b"\r\nHost: server\r\n" in head
    assert b"\r\nAuthorization: Basic YWRhOnNlL2NyZXQ=\r\n" in head
    assert origin_of(url) == ServerOrigin("server", 80, is_secure=False)


def test_a_key_can_not_add_a_header() -> None:
    with pytest.raises(ValueError, match="line break"):
        head_of("GET", "http://server/", {}, "key\r\nX: y")


@pytest.mark.parametrize("url", ["ftp://server/", "server:80", "http:///v1"])
def test_what_is_no_url_of_http_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="not a URL of HTTP"):
        origin_of(url)


@pytest.mark.parametrize(
    ("method", "status", "elsewhere"),
    [("GET", 302, True), ("GET", 308, True), ("POST", 307, True), ("POST", 302, False)],
)
def test_requests_follow_where_they_may_go_unchanged(
    method: str,
    status: int,
    elsewhere: bool,  # noqa: FBT001 -- a case
) -> None:
    expected = "https://server/v1/models" if elsewhere else None
    location = "https://server/v1/models"
    assert redirected(method, "http://server/v1/models", status, location) == expected
    assert redirected(method, "http://server/", status, None) is None
    assert redirected(method, "http://server/", 200, location) is None
