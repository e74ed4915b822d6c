"""What a backend, or a proxy before it, packs: read everywhere, refused by name where it cannot."""

import functools
import zlib
from collections.abc import AsyncGenerator

import pytest

from scripted_backend import running_backend, sends_http
from turnwire_contracts.queries import InputTokenCount
from turnwire_orchestrator.failures import TurnFailedError
from turnwire_orchestrator.inference.backend import HttpBackend
from turnwire_orchestrator.inference.http_client import Timeouts
from turnwire_orchestrator.prompting.dialect import Api, Dialect
from turnwire_orchestrator.servers import Server
from turnwire_testing.packing import PACK
from turnwire_testing.plain_http import PlainServer, serving
from turnwire_testing.prompts import prompt

TIMEOUTS = Timeouts(connect_s=5.0, idle_s=5.0)
MODELS = "GET /v1/models"
RESPONSES = "POST /v1/responses"
CHAT = "POST /v1/chat/completions"
COUNT = "POST /v1/responses/input_tokens"
LISTED = {"data": [{"id": "m", "owned_by": "vllm"}]}
HEAD = b"HTTP/1.1 %d OK\r\nContent-Type: %b\r\nContent-Encoding: gzip\r\n\r\n"
every_encoding = pytest.mark.parametrize("encoding", [*PACK])


@functools.cache
def bomb() -> bytes:
    """Pack 200 MiB of zeros into 200 KiB: not as a constant, for it takes a second."""
    return zlib.compress(bytes(200 * 1024 * 1024), 9, 31)


@pytest.fixture
async def server() -> AsyncGenerator[PlainServer]:
    routes = {MODELS: (200, LISTED), RESPONSES: (404, {"detail": "Not Found"})}
    async with serving({**routes, CHAT: (400, {"error": {"message": "what?"}})}) as running:
        yield running


@pytest.fixture
async def backend(server: PlainServer) -> AsyncGenerator[HttpBackend]:
    opened = HttpBackend(Server("mock", server.url), TIMEOUTS)
    yield opened
    await opened.close()


@every_encoding
async def test_models_and_the_api_are_found_out(
    server: PlainServer, backend: HttpBackend, encoding: str
) -> None:
    server.encoding = encoding
    await backend.look()
    assert (backend.api, backend.dialect) == (Api.CHAT, Dialect.VLLM)
    assert backend.served.names == {"m"}
    assert server.accepted == {"identity"}


@every_encoding
async def test_tokens_are_counted(server: PlainServer, backend: HttpBackend, encoding: str) -> None:
    server.encoding = encoding
    server.routes[COUNT] = (200, {"input_tokens": 34})
    assert await backend.input_tokens(prompt()) == InputTokenCount(34, estimated=False)


@every_encoding
async def test_a_failing_list_of_models_is_told_in_words(
    server: PlainServer, backend: HttpBackend, encoding: str
) -> None:
    server.encoding = encoding
    server.routes[MODELS] = (500, {"error": {"message": "no weights"}})
    with pytest.raises(TurnFailedError, match="backend_error") as raised:
        await backend.models()
    assert "no weights" in raised.value.failure.message


@pytest.mark.parametrize("encoding", ["exi", "x-gzip", "gzip, br", "compress"])
async def test_what_cannot_be_unpacked_is_refused_by_name(
    server: PlainServer, backend: HttpBackend, encoding: str
) -> None:
    server.encoding = encoding
    with pytest.raises(TurnFailedError) as raised:
        await backend.models()
    failure = raised.value.failure
    assert failure.http_status == 502
    assert f"'Content-Encoding: {encoding}'" in failure.message


async def test_a_packed_event_is_read_as_soon_as_it_comes() -> None:
    packer = zlib.compressobj(wbits=31)
    first = packer.compress(b"data: 1\n\n") + packer.flush(zlib.Z_SYNC_FLUSH)
    rest = packer.compress(b"data: 2\n\n") + packer.flush()
    head = HEAD % (200, b"text/event-stream")
    async with running_backend() as scripted:
        scripted.script(sends_http(head, first, rest).paused(after=2))
        backend = HttpBackend(Server("mock", scripted.url, api=Api.CHAT), TIMEOUTS)
        async with backend.sample(prompt()) as answering:
            assert await anext(answering.reads) == [b"1"]
            await scripted.saw_pause()
            scripted.release()
            assert await anext(answering.reads) == [b"2"]
        await backend.close()


async def read_into(reads: list[list[bytes]], backend: HttpBackend) -> None:
    async with backend.sample(prompt()) as answering:
        async for read in answering.reads:
            reads.append(read)  # noqa: PERF401 -- what came before an error stays


@pytest.mark.parametrize("end", [b"", b"5\r\nab"], ids=["closed", "in the middle of a chunk"])
async def test_what_came_before_a_packed_stream_broke_off_is_kept(end: bytes) -> None:
    packer = zlib.compressobj(wbits=31)
    first = packer.compress(b"data: 1\n\n") + packer.flush(zlib.Z_SYNC_FLUSH)
    head = HEAD.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunk = b"%x\r\n%b\r\n" % (len(first), first)
    async with running_backend() as scripted:
        scripted.script(sends_http(head % (200, b"text/event-stream"), chunk, end))
        backend = HttpBackend(Server("mock", scripted.url, api=Api.CHAT), TIMEOUTS)
        reads: list[list[bytes]] = []
        with pytest.raises(TurnFailedError, match="backend_stream_broken"):
            await read_into(reads, backend)
        await backend.close()
    assert reads == [[b"1"]]


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (200, b"text/event-stream", "bytes"),
        (200, b"application/json", "without end"),
        (500, b"application/json", "backend failed"),
    ],
    ids=["stream", "whole answer", "error"],
)
async def test_what_unpacks_without_end_is_cut_off(status: int, kind: bytes, words: str) -> None:
    async with running_backend() as scripted:
        scripted.script(sends_http(HEAD % (status, kind), bomb()))
        backend = HttpBackend(Server("mock", scripted.url, api=Api.CHAT), TIMEOUTS)
        with pytest.raises((TurnFailedError, ValueError)) as raised:
            async with backend.sample(prompt()) as answering:
                _ = [read async for read in answering.reads]
        await backend.close()
    error = raised.value
    assert words in (error.failure.message if isinstance(error, TurnFailedError) else str(error))
