"""What HTTP/1.1 says of connections, versions and header fields, on real sockets."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress

import msgspec
import orjson
import pytest
from starlette.types import Receive, Scope, Send

from turnwire_gateway.app import build
from turnwire_gateway.auth.caller import Caller, caller_of
from turnwire_gateway.errors import wrong_credentials
from turnwire_testing.gateway import LIMIT, Api
from turnwire_testing.listening import listening
from turnwire_testing.raw_http import RawConnection, raw, request

PLAIN = orjson.dumps({"model": "m", "input": "Hello?"})
STREAMED = orjson.dumps({"model": "m", "input": "Hello?", "stream": True})
HOST = "Host: localhost"
LENGTH = (b"content-length", b"4")
LARGE = b"x" * 3_000_000

REFUSALS: dict[str, tuple[str, list[str], int]] = {
    "a coding that is not known": ("/v1/responses", ["Content-Encoding: br"], 415),
    "no token that is good": ("/v1/responses", ["Authorization: Bearer wrong"], 401),
    "a page of another origin": ("/v1/responses", ["Origin: http://evil.example"], 403),
    "no such route": ("/v1/nothing", [], 404),
    "no such method": ("/v1/models", [], 405),
    "no JSON, or too large": ("/v1/responses", [], 0),
}


@pytest.fixture
async def url(api: Api) -> AsyncGenerator[str]:
    """The address of a gateway without keys, except that one token is wrong."""

    async def identify(authorization: str | None) -> Caller:
        if authorization == "Bearer wrong":
            raise wrong_credentials()
        return await caller_of(authorization)

    world = msgspec.structs.replace(api.world, identify=identify, is_open=lambda: True)
    async with listening(build(world)) as url:
        yield url


def chunked(body: bytes) -> bytes:
    """Write a body in chunks of a thousand bytes."""
    pieces = [body[start : start + 1000] for start in range(0, len(body), 1000)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""])


async def goes_on(connection: RawConnection) -> None:
    """Check that the connection takes another request."""
    await connection.send(request("POST", "/v1/responses", [HOST], PLAIN))
    assert (await connection.reply()).json["status"] == "completed"


@pytest.mark.parametrize("case", REFUSALS)
@pytest.mark.parametrize("size", [10, LIMIT + 1, 3_000_000])
async def test_a_refusal_leaves_the_connection_usable(url: str, case: str, size: int) -> None:
    path, headers, status = REFUSALS[case]
    expected = {status} if status else {400 if size < LIMIT else 413}
    body = LARGE[:size]
    length = [HOST, *headers, f"Content-Length: {size}"]
    in_chunks = [HOST, *headers, "Transfer-Encoding: chunked"]
    ways = [
        (request("POST", path, length), body),
        (request("POST", path, in_chunks), chunked(body)),
    ]
    for head, rest in ways:
        async with raw(url) as connection:
            await connection.send(head, rest)
            assert (await connection.reply()).status in expected
            await goes_on(connection)


@pytest.mark.parametrize("case", [case for case in REFUSALS if REFUSALS[case][2]])
async def test_a_client_that_waits_with_its_body_is_refused_and_the_connection_ends(
    url: str, case: str
) -> None:
    path, headers, status = REFUSALS[case]
    fields = [HOST, *headers, "Expect: 100-continue", f"Content-Length: {len(PLAIN)}"]
    async with raw(url) as connection:
        await connection.send(request("POST", path, fields))
        reply = await connection.reply()
        assert (reply.status, reply.header("connection")) == (status, "close")
        assert await connection.rest() == b""


async def test_a_client_that_does_not_wait_keeps_its_connection(url: str) -> None:
    headers = [HOST, "Content-Encoding: br", "Expect: 100-continue"]
    async with raw(url) as connection:
        await connection.send(request("POST", "/v1/responses", headers, PLAIN))
        assert (await connection.reply()).status == 415
        await goes_on(connection)


@pytest.mark.parametrize("headers", [[], ["Connection: keep-alive"], ["Expect: 100-continue"]])
@pytest.mark.parametrize("host", [[], [HOST]])
async def test_an_answer_in_http_1_0_ends_with_its_connection(
    url: str, headers: list[str], host: list[str]
) -> None:
    for body, end in ((PLAIN, b"}"), (STREAMED, b"data: [DONE]\n\n")):
        lines = [*host, *headers, f"Content-Length: {len(body)}"]
        head = "\r\n".join(["POST /v1/responses HTTP/1.0", *lines, "", ""])
        async with raw(url) as connection:
            await connection.send(head.encode() + body)
            status, fields = await connection.head()
            said = await connection.rest()
        assert status == 200
        assert "transfer-encoding" not in dict(fields)
        assert dict(fields)["connection"] == "close"
        assert said.startswith((b'{"id":', b"event: response.created\n"))
        assert said.endswith(end)
        assert b"response.completed" in said or body is PLAIN


@pytest.mark.parametrize("path", ["/v1/models", "/", "/health", "/v1/nothing"])
async def test_other_methods_in_http_1_0(url: str, path: str) -> None:
    for method in ("GET", "HEAD", "DELETE"):
        async with raw(url) as connection:
            await connection.send(f"{method} {path} HTTP/1.0\r\n\r\n".encode())
            _, fields = await connection.head()
            said = await connection.rest()
        assert len(said) == (0 if method == "HEAD" else int(dict(fields)["content-length"]))


@pytest.mark.parametrize(
    "header",
    [
        "Content-Encoding: identity \t ",
        "Content-Type: \t application/json  ",
        "Expect: 100-continue \t",
        "Authorization:   Bearer alice\t ",
        "Connection: close  ",
        "Idempotency-Key:\ta key  ",
        "x-application-id: app \t",
    ],
)
async def test_whitespace_around_a_value_is_none_of_it(url: str, header: str) -> None:
    async with raw(url) as connection:
        await connection.send(request("POST", "/v1/responses", [HOST + "  ", header], PLAIN))
        reply = await connection.reply()
        if reply.status == 100:
            reply = await connection.reply()
        assert reply.status == 200, reply.body
        assert reply.header("connection") == ("close" if "close" in header else None)


async def test_a_trailer_is_no_header(url: str, api: Api) -> None:
    head = request("POST", "/v1/responses", [HOST, "Transfer-Encoding: chunked"])
    body = chunked(PLAIN)[:-2] + b"x-application-id: \xff\r\nHost: evil.example\r\n\r\n"
    async with raw(url) as connection:
        await connection.send(head + body)
        assert (await connection.reply()).status == 200
        await goes_on(connection)
    assert {request.application for request in api.log.requests} == {None}


@pytest.mark.parametrize(
    "wrong",
    [
        b"nonsense\r\n\r\n",
        b"get / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /m\xc3\xb6dels HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: local\x00host\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_refused_in_the_one_envelope(url: str, wrong: bytes) -> None:
    async with raw(url) as connection:
        await connection.send(wrong)
        reply = await connection.reply()
        assert (reply.status, reply.code) == (400, "invalid_http_request")
        assert reply.header("connection") == "close"
        assert await connection.rest() == b""


async def test_nothing_is_written_into_an_answer_that_has_begun() -> None:
    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass

    async with listening(endless) as url, raw(url) as connection:
        await connection.send(request("GET", "/", [HOST]))
        await connection.head()
        await connection.send(b"nonsense\r\n\r\n")
        assert await connection.rest() == b"5\r\nbegun\r\n"


async def test_a_head_without_end_is_refused(url: str) -> None:
    async with raw(url) as connection:
        await connection.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        line = b"x-line: " + b"a" * 60_000 + b"\r\n"
        for _ in range(20):
            await connection.send(line)
        reply = await connection.reply()
        assert (reply.status, reply.code) == (431, "request_header_fields_too_large")


async def test_a_head_may_come_byte_by_byte(url: str) -> None:
    one = request("POST", "/v1/responses", [HOST, "x-line: " + "a" * 2000], PLAIN)
    async with raw(url) as connection:
        for _ in range(2):
            await connection.send(*(bytes([each]) for each in one))
            assert (await connection.reply()).status == 200


@pytest.mark.parametrize(
    ("sent", "answers"),
    [
        (b"", 0),
        (b"GET / HTTP/1.1\r\nHost: local", 0),
        (request("GET", "/", [HOST]), 1),
        (request("GET", "/", [HOST]) + b"GET / HTTP/1.1\r\n", 1),
        (request("POST", "/v1/nothing", [HOST, "Content-Length: 9"]) + b"half", 1),
    ],
)
async def test_a_connection_is_closed_on_which_nothing_comes(
    api: Api, sent: bytes, answers: int
) -> None:
    async with listening(api.app, keep_alive_s=1) as url, raw(url) as connection:
        await connection.send(sent)
        assert (await connection.rest()).count(b"HTTP/1.1") == answers


async def test_a_request_may_take_longer_than_an_idle_connection_is_kept() -> None:
    async def slow(_: Scope, receive: Receive, send: Send) -> None:
        await receive()
        closing = asyncio.ensure_future(receive())
        with suppress(TimeoutError):
            async with asyncio.timeout(1.5):
                await closing
        await send({"type": "http.response.start", "status": 200, "headers": [LENGTH]})
        await send({"type": "http.response.body", "body": b"late"})

    one = request("GET", "/", [HOST])
    async with listening(slow, keep_alive_s=1) as url, raw(url) as connection:
        await connection.send(one[:9], one[9:] + one[:9], one[9:])
        for _ in range(2):
            assert (await connection.reply()).body == b"late"
