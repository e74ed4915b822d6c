"""Readers of streams that are cut, slow, or do not read at all."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import ExitStack, asynccontextmanager

import aiohttp
import pytest

from chaos.faults.processes import usage
from chaos.faults.system import System
from e2e.rig.wire import Api, Stream, payload
from scripted_backend import says
from turnwire_testing.stream_grammar import check_stream

pytestmark = [pytest.mark.chaos, pytest.mark.asyncio(loop_scope="session")]

WITHIN_S = 80.0
WORDS = [f"word{number} " for number in range(8)]
STALLED = 24
BLOCK = 32 * 1024
BLOCKS = 200
"""6.25 MiB: as much fits into the log."""
MOST_GROWTH_MIB = 64.0
"""Of a gateway, for all that stall: 1 MiB waits for each, and the HTTP server has some of it."""
TOO_LARGE_BLOCKS = 512
"""16 MiB: the turn fails, as its output does not fit into the log."""


@asynccontextmanager
async def apis(system: System) -> AsyncGenerator[list[Api]]:
    """The API of each gateway."""
    timeout = aiohttp.ClientTimeout(total=WITHIN_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield [Api(session, url, {}) for url in system.urls]


async def cut_after(apis: Sequence[Api], response_id: str, cut: int) -> list[bytes]:
    """Read so many frames at one gateway, and the rest at the other."""
    here, there = apis[cut % 2], apis[1 - cut % 2]
    frames: list[bytes] = []
    if cut:
        async with here.join(response_id) as stream:
            frames += await _first(stream, cut)
    async with there.join(response_id, len(frames) - 1 if frames else None) as stream:
        await stream.to_the_end()
        assert stream.done
        return frames + stream.frames


async def _first(stream: Stream, count: int) -> list[bytes]:
    async for _ in stream:
        if len(stream.frames) == count:
            break
    return stream.frames


async def test_a_stream_that_is_cut_at_any_frame_goes_on_at_another_gateway(
    system: System,
) -> None:
    system.backend.script(says(*WORDS).slowed(each=0.05))
    async with apis(system) as both, asyncio.timeout(WITHIN_S):
        asked = {"model": "mock-model", "input": "Talk."}
        async with both[0].stream(asked) as stream:
            created = await stream.until("response.created")
            response_id = created["response"]["id"]
            frames = 4 + len(WORDS) + 4
            cuts = [cut_after(both, response_id, cut) for cut in range(frames)]
            reading = asyncio.gather(*cuts)
            await stream.to_the_end()
            live = stream.frames
            found = await reading
    check_stream([payload(frame) for frame in live])
    assert len(live) == frames
    assert all(each == live for each in found)


@pytest.mark.parametrize("blocks", [BLOCKS, TOO_LARGE_BLOCKS])
async def test_readers_that_do_not_read_cost_little_and_harm_nobody(
    system: System, stalled: ExitStack, blocks: int
) -> None:
    text = [f"{number:05d}".ljust(BLOCK, "x") for number in range(blocks)]
    system.backend.script(says("begins ", *text).slowed(each=0.02).paused(after=1))
    async with apis(system) as both, asyncio.timeout(WITHIN_S):
        async with both[0].stream({"model": "mock-model", "input": "Talk."}) as stream:
            created = await stream.until("response.output_text.delta")
            response_id = payload(stream.frames[0])["response"]["id"]
            assert created["delta"] == "begins "
            for _ in range(STALLED):
                stalled.enter_context(await _stalled(system.urls[0], response_id))
            before = _gateway_mib(system)
            system.backend.release()
            events = await stream.to_the_end()
            grown = _gateway_mib(system) - before
        end = "response.failed" if blocks == TOO_LARGE_BLOCKS else "response.completed"
        assert events[-1]["type"] == end
        assert "".join(event.get("delta", "") for event in events) == "begins " + "".join(text)
        status, _ = await both[0].post({"model": "mock-model", "input": "Talk."})
        assert status == 200
    # Without a bound each would hold all of it, the HTTP server three times over.
    assert STALLED * blocks * BLOCK / 2**20 > 2 * MOST_GROWTH_MIB
    assert grown < MOST_GROWTH_MIB, grown


@pytest.fixture
def stalled() -> Generator[ExitStack]:
    """The connections of readers that do not read."""
    with ExitStack() as opened:
        yield opened


def _gateway_mib(system: System) -> float:
    return usage({"gateway": system.service("gateway").process.process.pid})["gateway"].rss_mib


async def _stalled(url: str, response_id: str) -> socket.socket:
    """Ask for a stream over a connection with a tiny window, and never read."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)  # noqa: FBT003 -- its own signature
    host, port = url.split("/")[2].split(":")
    loop = asyncio.get_running_loop()
    await loop.sock_connect(sock, (host, int(port)))
    head = f"GET /v1/responses/{response_id}?stream=true HTTP/1.1\r\nHost: {host}\r\n\r\n"
    await loop.sock_sendall(sock, head.encode())
    return sock
