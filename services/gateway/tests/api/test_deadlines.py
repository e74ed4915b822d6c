"""Nothing that a gateway waits for lasts for ever: a body that stops, a turn that is not begun."""

import asyncio

import orjson
import pytest
from starlette.requests import Request
from starlette.types import Message

from turnwire_gateway.api.feed import FrameFeed
from turnwire_gateway.api.frames.backfill import Logs
from turnwire_gateway.api.request_context import read_body
from turnwire_gateway.api.stream_parts import Chunk, EarlyResponse
from turnwire_gateway.errors import ApiError
from turnwire_testing.told_turns import ToldTurn

WITHIN_S = 30.0


def request_of(*pieces: bytes, whole: bool) -> Request:
    """A request whose client sends these pieces, and then nothing more."""
    waiting = list(pieces)

    async def receive() -> Message:
        if not waiting:
            await asyncio.wait_for(asyncio.Event().wait(), WITHIN_S)
        piece = waiting.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(waiting) or not whole}

    return Request({"type": "http", "method": "POST", "headers": []}, receive)


async def test_a_body_that_stops_in_the_middle_is_refused() -> None:
    with pytest.raises(ApiError) as refused:
        await read_body(request_of(b"{", b'"a"', whole=False), 100, silence_s=0.05)
    failure = refused.value.failure
    assert (failure.http_status, failure.code) == (408, "request_timeout")
    assert refused.value.may_be_repeated


async def test_a_body_that_comes_in_pieces_is_read() -> None:
    assert await read_body(request_of(b"{", b"}", whole=True), 100) == b"{}"


async def read_to_its_end(feed: FrameFeed) -> Chunk | EarlyResponse | None:
    """Read until the end; what comes before it is dropped."""
    async with asyncio.timeout(WITHIN_S):
        part = await feed.read()
        while isinstance(part, Chunk) and not part.last:
            part = await feed.read()
    return part


async def test_a_stream_that_no_orchestrator_begins_ends_with_504() -> None:
    turn = ToldTurn()
    feed = FrameFeed(Logs(turn.log, turn.output), turn.request.turn_key)
    await feed.start()
    feed.end_within(0.0)
    feed.look()
    part = await read_to_its_end(feed)
    await feed.stop()
    assert isinstance(part, EarlyResponse)
    assert (part.status, orjson.loads(part.body)["error"]["code"]) == (504, "turn_timeout")


async def test_a_stream_whose_owner_is_lost_for_ever_ends_with_an_error_event() -> None:
    turn = ToldTurn()
    feed = FrameFeed(Logs(turn.log, turn.output), turn.request.turn_key)
    await feed.start()
    await turn.say(0, 1)
    assert isinstance(await feed.read(), Chunk)
    feed.end_within(0.0)
    feed.look()
    part = await read_to_its_end(feed)
    await feed.stop()
    assert isinstance(part, Chunk)
    assert b"it has not ended in time" in part.body
