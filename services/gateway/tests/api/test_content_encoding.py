"""Bodies that clients have compressed are read as if they had not been (sockets)."""

import gzip
import sys
import tracemalloc
import zlib
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_gateway.api.requests.content_encoding import (
    BrokenBodyError,
    TooLargeBodyError,
    decoded,
)
from turnwire_testing.gateway import LIMIT, Api
from turnwire_testing.listening import listening
from turnwire_testing.raw_http import Reply, raw, request

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

BODY = orjson.dumps({"model": "m", "input": "Hello?"})
HALF = len(BODY) // 2


def raw_deflate(body: bytes) -> bytes:
    """Compress without a wrapper."""
    writer = zlib.compressobj(wbits=-15)
    return writer.compress(body) + writer.flush()


GOOD: dict[str, tuple[str, bytes]] = {
    "gzip": ("gzip", gzip.compress(BODY)),
    "in capitals": ("GZIP", gzip.compress(BODY)),
    "the old name": ("x-gzip", gzip.compress(BODY)),
    "deflate in zlib": ("deflate", zlib.compress(BODY)),
    "deflate in zlib, not compressed": ("deflate", zlib.compress(BODY, 0)),
    "deflate as it is": ("deflate", raw_deflate(BODY)),
    "zstd": ("zstd", zstd.compress(BODY)),
    "gzip in two members": ("gzip", gzip.compress(BODY[:HALF]) + gzip.compress(BODY[HALF:])),
    "gzip with padding": ("gzip", gzip.compress(BODY) + bytes(7)),
    "zstd in two frames": ("zstd", zstd.compress(BODY[:HALF]) + zstd.compress(BODY[HALF:])),
    "two codings": ("gzip, zstd", zstd.compress(gzip.compress(BODY))),
    "one coding twice": ("gzip,gzip", gzip.compress(gzip.compress(BODY))),
    "nothing": ("identity", BODY),
    "nothing named": ("", BODY),
    "something and nothing": ("identity, deflate ,", zlib.compress(BODY)),
}

BROKEN: dict[str, tuple[str, bytes]] = {
    "plain JSON": ("gzip", BODY),
    "plain JSON as deflate": ("deflate", BODY),
    "plain JSON as zstd": ("zstd", BODY),
    "another coding": ("zstd", gzip.compress(BODY)),
    "cut off": ("gzip", gzip.compress(BODY)[:-4]),
    "zstd cut off": ("zstd", zstd.compress(BODY)[:-4]),
    "deflate cut off": ("deflate", raw_deflate(BODY)[:-2]),
    "a wrong checksum": ("gzip", gzip.compress(BODY)[:-8] + bytes(8)),
    "something behind it": ("gzip", gzip.compress(BODY) + b"more"),
    "one coding too few": ("gzip, zstd", gzip.compress(BODY)),
    "the wrong order": ("zstd, gzip", zstd.compress(gzip.compress(BODY))),
    "too many members": ("gzip", gzip.compress(b"") * 300),
    "too many codings": (", ".join(["gzip"] * 5), gzip.compress(BODY)),
}

# Made when they are needed: each worker of pytest-xdist reads this module.
BOMBS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "gzip": ("gzip", lambda: gzip.compress(bytes(9 * LIMIT))),
    "deflate": ("deflate", lambda: zlib.compress(bytes(9 * LIMIT))),
    "deflate as it is": ("deflate", lambda: raw_deflate(bytes(9 * LIMIT))),
    "zstd": ("zstd", lambda: zstd.compress(bytes(9 * LIMIT))),
    "one byte too many": ("gzip", lambda: gzip.compress(bytes(LIMIT + 1))),
    "in members": ("gzip", lambda: gzip.compress(bytes(LIMIT // 2)) * 3),
    "one in the other": ("gzip, gzip", lambda: gzip.compress(gzip.compress(bytes(2000 * LIMIT)))),
}


@pytest.fixture
async def url(api: Api) -> AsyncGenerator[str]:
    """The gateway's address."""
    async with listening(api.app) as url:
        yield url


async def post(url: str, body: bytes, *headers: str, path: str = "/v1/responses") -> Reply:
    """Send a body on a connection of its own."""
    async with raw(url) as connection:
        await connection.send(request("POST", path, ["Host: localhost", *headers], body))
        return await connection.reply()


@pytest.mark.parametrize("case", GOOD)
async def test_a_body_is_decoded(url: str, case: str) -> None:
    coding, body = GOOD[case]
    reply = await post(url, body, f"Content-Encoding: {coding}")
    assert reply.status == 200, reply.body


async def test_codings_in_headers_of_their_own_are_one_list(url: str) -> None:
    headers = ["Content-Encoding: deflate", "Content-Encoding: gzip"]
    reply = await post(url, gzip.compress(zlib.compress(BODY)), *headers)
    assert reply.status == 200, reply.body


@pytest.mark.parametrize("case", BROKEN)
async def test_what_cannot_be_decoded_is_refused_by_the_header(url: str, case: str) -> None:
    coding, body = BROKEN[case]
    reply = await post(url, body, f"Content-Encoding: {coding}")
    assert (reply.status, reply.code) == (400, "invalid_value"), reply.body
    assert reply.json["error"]["param"] == "content-encoding"
    assert "Content-Encoding" in reply.json["error"]["message"]


@pytest.mark.parametrize("case", BOMBS)
async def test_what_is_too_large_when_decoded_is_refused(url: str, api: Api, case: str) -> None:
    coding, compressed = BOMBS[case]
    body = compressed()
    assert len(body) < LIMIT
    reply = await post(url, body, f"Content-Encoding: {coding}")
    assert (reply.status, reply.code) == (413, "request_too_large")
    assert api.log.requests == []


async def test_the_limit_itself_is_not_too_large(url: str) -> None:
    body = BODY[:-1] + b" " * (LIMIT - len(BODY)) + b"}"
    assert len(body) == LIMIT
    for coding, sent in (("gzip", gzip.compress(body)), ("zstd", zstd.compress(body))):
        assert (await post(url, sent, f"Content-Encoding: {coding}")).status == 200


@pytest.mark.parametrize(
    "coding", ["br", "compress", "aes128gcm", "gzip, br", "x", "*", "gzip;q=1"]
)
async def test_an_unknown_coding_is_told_the_known_ones(url: str, coding: str) -> None:
    reply = await post(url, BODY, f"Content-Encoding: {coding}")
    assert (reply.status, reply.code) == (415, "unsupported_content_encoding")
    assert reply.header("accept-encoding") == "gzip, deflate, zstd"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/responses", BODY),
        ("/v1/responses/compact", BODY),
        ("/v1/conversations", b'{"metadata":{"a":"b"}}'),
    ],
)
async def test_every_route_decodes(url: str, path: str, body: bytes) -> None:
    reply = await post(url, gzip.compress(body), "Content-Encoding: gzip", path=path)
    assert reply.status == 200, reply.body
    for unread in ("/v1/responses/input_tokens", "/v1/check", path):
        reply = await post(url, body, "Content-Encoding: gzip", path=unread)
        assert (reply.status, reply.json["error"]["param"]) == (400, "content-encoding"), unread


async def test_no_body_needs_no_decoding(url: str) -> None:
    reply = await post(url, b"", "Content-Encoding: gzip", path="/v1/conversations")
    assert reply.status == 200


@pytest.mark.parametrize(
    "bomb", [gzip.compress(bytes(2**28)), zstd.compress(bytes(2**28))], ids=["gzip", "zstd"]
)
def test_a_bomb_is_not_inflated(bomb: bytes) -> None:
    coding = "gzip" if bomb.startswith(b"\x1f\x8b") else "zstd"
    tracemalloc.start()
    try:
        with pytest.raises(TooLargeBodyError):
            decoded(bomb, (coding,), 2**20)
        assert tracemalloc.get_traced_memory()[1] < 2**23
    finally:
        tracemalloc.stop()


def test_a_window_larger_than_the_web_allows_is_refused() -> None:
    options: dict[int, int] = {zstd.CompressionParameter.window_log: 27}
    with pytest.raises(BrokenBodyError):
        decoded(zstd.compress(bytes(2**27), options=options), ("zstd",), 2**28)


@given(st.binary(), st.sampled_from(["gzip", "deflate", "zstd"]))
def test_any_bytes_are_decoded_or_refused(data: bytes, coding: str) -> None:
    with suppress(BrokenBodyError, TooLargeBodyError):
        assert len(decoded(data, (coding,), 100)) <= 100


@given(st.binary(max_size=200), st.lists(st.sampled_from(["gzip", "deflate", "zstd"]), max_size=4))
def test_what_was_encoded_is_decoded(data: bytes, codings: list[str]) -> None:
    body = data
    for coding in codings:
        match coding:
            case "gzip":
                body = gzip.compress(body)
            case "zstd":
                body = zstd.compress(body)
            case _:
                body = zlib.compress(body)
    assert decoded(body, codings, 1000) == data
