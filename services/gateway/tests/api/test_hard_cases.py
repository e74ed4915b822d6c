"""Hard cases that were faults once: what they taught stays true."""

import asyncio

import pytest
from starlette.requests import Request

from turnwire_contracts.json_values import JSON
from turnwire_contracts.wire.frames import DONE, KEEP_ALIVE, FrameMessage
from turnwire_gateway.api.answers import FrameStream
from turnwire_gateway.api.feed import FrameFeed
from turnwire_gateway.api.frames.backfill import Logs
from turnwire_gateway.api.request_context import read_body
from turnwire_gateway.api.responses import _starting_after  # pyright: ignore[reportPrivateUsage]
from turnwire_gateway.errors import ApiError
from turnwire_testing.asgi import Exchange, call
from turnwire_testing.told_turns import ToldTurn

REFUSAL = FrameMessage("A", 2, 500, 0, b'{"error":{"code":"turn_abandoned"}}')


@pytest.mark.parametrize("joins_at", [None, 0], ids=["in mid-stream", "joined before the opening"])
async def test_a_stream_that_began_ends_as_a_stream(joins_at: int | None) -> None:
    turn, exchange = ToldTurn(), Exchange()
    await turn.log.append(turn.request, None)
    feed = FrameFeed(Logs(turn.log, turn.output), turn.request.turn_key, joins_at)
    await feed.start()

    async def ended(reached_end: bool, begun: bool) -> None:  # noqa: FBT001 -- the callback's shape
        del reached_end, begun
        await feed.stop()

    stream = FrameStream(feed, ended)
    sending = asyncio.create_task(call(stream, "GET", "/", exchange))  # pyright: ignore[reportArgumentType]
    if joins_at is None:
        await turn.say(0, 3)
    await exchange.said(turn.frames[2] if joins_at is None else KEEP_ALIVE)
    await turn.output.publish(turn.request.turn_key, REFUSAL)
    await sending
    assert [each["type"] for each in exchange.sent].count("http.response.start") == 1
    assert b"turn_abandoned" in exchange.body
    assert exchange.body.endswith(DONE)


def test_a_place_in_odd_digits_is_refused() -> None:
    scope: JSON = {"type": "http", "query_string": b"starting_after=%C2%B2", "headers": []}
    with pytest.raises(ApiError):
        _starting_after(Request(scope))


async def test_a_length_in_odd_digits_is_not_believed() -> None:
    headers = [(b"content-length", b"\xb2")]
    request = Request({"type": "http", "headers": headers}, Exchange(b"{}").receive)
    assert await read_body(request, 100) == b"{}"
