"""Whatever protocol a client offers to change to, its request is read and answered (sockets)."""

from collections.abc import AsyncGenerator

import orjson
import pytest

from turnwire_testing.gateway import Api
from turnwire_testing.listening import listening
from turnwire_testing.raw_http import Reply, raw, request

BODY = orjson.dumps({"model": "m", "input": "Hello?"})
HOST = "Host: localhost"

OFFERS = [
    ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAAAAIAAAAB"],
    ["Upgrade: h2c", "HTTP2-Settings: AAEAAEAAAAIAAAAB", "Connection: HTTP2-Settings, Upgrade"],
    ["Connection: upgrade", "Upgrade: foo"],
    ["Connection: Upgrade", "Upgrade: TLS/1.0"],
    ["Connection: Upgrade", "Upgrade: TLS/1.2, HTTP/1.1"],
    ["Connection: Upgrade", "Upgrade: HTTP/2.0, SHTTP/1.3, IRC/6.9, RTA/x11"],
    ["Connection: Upgrade", "Upgrade: websocket"],
    ["Connection: Upgrade", "Upgrade: h2c, websocket"],
    ["Connection: keep-alive, Upgrade", "Upgrade: foo"],
    ["Connection: keep-alive", "Connection: Upgrade", "Upgrade: h2c"],
    ["Connection: Upgrade", "Upgrade: "],
    ["Upgrade: h2c"],
    ["Connection: Upgrade"],
    [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    ],
]


@pytest.fixture
async def url(api: Api) -> AsyncGenerator[str]:
    """The gateway's address."""
    async with listening(api.app) as url:
        yield url


def chunked(body: bytes) -> bytes:
    """Write a body in chunks of seven bytes."""
    pieces = [body[start : start + 7] for start in range(0, len(body), 7)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""])


def is_answer(reply: Reply) -> bool:
    """Tell whether a response came."""
    return reply.status == 200 and reply.json["status"] == "completed"


@pytest.mark.parametrize("offer", OFFERS, ids=str)
async def test_the_body_is_read_and_the_connection_goes_on(url: str, offer: list[str]) -> None:
    one = request("POST", "/v1/responses", [HOST, *offer], BODY)
    head = one.removesuffix(BODY)
    ways = {
        "at once": [one],
        "byte by byte": [bytes([each]) for each in one],
        "head, then body": [head, BODY],
        "body in segments": [head, BODY[:5], BODY[5:6], BODY[6:]],
        "head cut in two": [head[:-3], head[-3:] + BODY],
        "two at once": [one + one],
    }
    for name, pieces in ways.items():
        async with raw(url) as connection:
            await connection.send(*pieces)
            assert is_answer(await connection.reply()), name
            if name == "two at once":
                assert is_answer(await connection.reply()), name
            await connection.send(request("GET", "/", [HOST]))
            assert (await connection.reply()).json["name"] == "turnwire", name
            await connection.send(one)
            assert is_answer(await connection.reply()), name


@pytest.mark.parametrize("offer", OFFERS, ids=str)
async def test_a_chunked_body_is_read(url: str, offer: list[str]) -> None:
    head = request("POST", "/v1/responses", [HOST, *offer, "Transfer-Encoding: chunked"])
    body = chunked(BODY)
    for pieces in ([head + body], [head, body[:9], body[9:40], body[40:]]):
        async with raw(url) as connection:
            await connection.send(*pieces)
            assert is_answer(await connection.reply())
            await connection.send(head, body)
            assert is_answer(await connection.reply())


@pytest.mark.parametrize("offer", OFFERS, ids=str)
async def test_a_client_that_waits_is_told_to_go_on(url: str, offer: list[str]) -> None:
    one = request("POST", "/v1/responses", [HOST, *offer, "Expect: 100-continue"], BODY)
    async with raw(url) as connection:
        await connection.send(one.removesuffix(BODY))
        assert (await connection.reply()).status == 100
        await connection.send(BODY)
        assert is_answer(await connection.reply())


@pytest.mark.parametrize("offer", OFFERS[:8], ids=str)
async def test_every_route_with_a_body_reads_it(url: str, offer: list[str]) -> None:
    async with raw(url) as connection:
        body = orjson.dumps({"metadata": {"a": "b"}})
        await connection.send(request("POST", "/v1/conversations", [HOST, *offer], body))
        begun = (await connection.reply()).json
        assert begun["metadata"] == {"a": "b"}
        path = f"/v1/conversations/{begun['id']}"
        await connection.send(request("DELETE", path, [HOST, *offer]))
        assert (await connection.reply()).json["deleted"] is True
        await connection.send(request("PUT", path, [HOST, *offer], b"x"))
        assert (await connection.reply()).status == 405


async def test_requests_without_a_body_are_answered_one_after_the_other(url: str) -> None:
    offered = request("GET", "/", [HOST, *OFFERS[0]])
    async with raw(url) as connection:
        await connection.send(offered * 1500)
        for _ in range(1500):
            assert (await connection.reply()).status == 200


async def test_a_connection_that_shall_end_ends(url: str) -> None:
    headers = [HOST, "Connection: close, Upgrade", "Upgrade: h2c"]
    async with raw(url) as connection:
        await connection.send(request("POST", "/v1/responses", headers, BODY))
        answer = await connection.reply()
        assert is_answer(answer)
        assert answer.header("connection") == "close"
        assert await connection.rest() == b""


async def test_an_offer_in_http_1_0_is_ignored(url: str) -> None:
    lines = ["POST /v1/responses HTTP/1.0", *OFFERS[-1], f"Content-Length: {len(BODY)}", "", ""]
    async with raw(url) as connection:
        await connection.send("\r\n".join(lines).encode() + BODY)
        assert b'"status":"completed"' in await connection.rest()


async def test_a_websocket_still_opens(url: str) -> None:
    async with raw(url) as connection:
        await connection.send(request("GET", "/v1/responses", [HOST, *OFFERS[-1]]))
        reply = await connection.reply()
        assert (reply.status, reply.header("upgrade")) == (101, "websocket")


OFFERED = b"POST /v1/responses HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"


@pytest.mark.parametrize(
    "wrong",
    [
        b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n",
        b"nonsense\r\n\r\n",
        OFFERED + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        OFFERED + b"Transfer-Encoding: chunked\r\n\r\nno length\r\n",
    ],
)
async def test_what_is_no_request_ends_with_an_error(url: str, wrong: bytes) -> None:
    async with raw(url) as connection:
        await connection.send(wrong)
        assert (await connection.reply()).status in (400, 404, 405)
