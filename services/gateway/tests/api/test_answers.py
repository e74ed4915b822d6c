"""A stream as an HTTP response: frames straight to the client, and its leaving noticed."""

import asyncio

import pytest

from turnwire_contracts.wire.frames import DONE, FrameMessage, payload
from turnwire_gateway.api.answers import FrameStream, PlainAnswer
from turnwire_gateway.api.feed import FrameFeed
from turnwire_gateway.api.frames.backfill import Logs
from turnwire_gateway.api.stream_parts import EarlyResponse
from turnwire_testing.asgi import Exchange, call
from turnwire_testing.listening import listening
from turnwire_testing.raw_http import raw
from turnwire_testing.told_turns import ToldTurn
from turnwire_testing.waiting import eventually

WITHIN_S = 30.0


class Streaming:
    """A stream of a turn, and how it ended."""

    def __init__(self) -> None:
        """Nothing was sent yet."""
        self.turn = ToldTurn()
        self.feed = FrameFeed(Logs(self.turn.log, self.turn.output), self.turn.request.turn_key)
        self.ends: list[tuple[bool, bool]] = []
        self.exchange = Exchange()

    async def start(self) -> asyncio.Task[Exchange]:
        """Begin to send."""
        await self.feed.start()
        stream = FrameStream(self.feed, self.ended)
        return asyncio.create_task(
            call(stream, "POST", "/", self.exchange)  # pyright: ignore[reportArgumentType]
        )

    async def ended(self, reached_end: bool, begun: bool) -> None:  # noqa: FBT001 -- the callback's shape
        """Note how it ended."""
        await self.feed.stop()
        self.ends.append((reached_end, begun))


@pytest.fixture
async def streaming() -> Streaming:
    return Streaming()


async def test_the_frames_are_sent_to_the_end(streaming: Streaming) -> None:
    sending = await streaming.start()
    await streaming.turn.say(0, 3)
    await streaming.turn.say(3, streaming.turn.count)
    async with asyncio.timeout(WITHIN_S):
        exchange = await sending
    assert exchange.status == 200
    assert exchange.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert exchange.headers["cache-control"] == "no-cache"
    assert exchange.headers["x-accel-buffering"] == "no"
    assert exchange.body == b"".join(streaming.turn.frames) + DONE
    assert exchange.ended
    assert streaming.ends == [(True, True)]


async def test_frames_leave_a_real_server_as_they_come_and_in_chunks(streaming: Streaming) -> None:
    turn = streaming.turn
    await streaming.feed.start()
    stream = FrameStream(streaming.feed, streaming.ended)
    async with listening(stream) as url, raw(url) as connection:
        await connection.send(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        await turn.say(0, 1)
        assert (await connection.head())[0] == 200
        assert await connection.chunk() == turn.frames[0]
        for number in range(1, turn.count - 1):
            await turn.say(number, number + 1)
            assert await connection.chunk() == turn.frames[number]
        await turn.say(turn.count - 1, turn.count)
        assert await connection.chunks() == turn.frames[-1] + DONE
    assert streaming.ends == [(True, True)]


async def test_nobody_listens_for_the_client_after_the_end(streaming: Streaming) -> None:
    async def is_over() -> bool:
        return asyncio.all_tasks() == {asyncio.current_task()}

    sending = await streaming.start()
    await streaming.turn.say(0, streaming.turn.count)
    await sending
    await eventually(is_over)


async def test_an_event_and_its_blank_line_leave_in_one_write(streaming: Streaming) -> None:
    sending = await streaming.start()
    for number in range(streaming.turn.count):
        await streaming.turn.say(number, number + 1)
        await streaming.exchange.said(streaming.turn.frames[number])
    await sending
    bodies = [each["body"] for each in streaming.exchange.sent[1:]]
    assert len(bodies) == streaming.turn.count
    assert all(body.endswith(b"\n\n") for body in bodies)


@pytest.mark.parametrize(
    ("status", "retry_after", "retry"),
    [(400, 0, None), (404, 0, None), (429, 7, None), (502, 0, "false"), (503, 3, None)],
)
async def test_a_turn_that_failed_before_its_stream_is_a_plain_error(
    streaming: Streaming, status: int, retry_after: int, retry: str | None
) -> None:
    sending = await streaming.start()
    refusal = FrameMessage("A", 1, status, retry_after, b'{"error":{}}')
    await streaming.turn.output.publish(streaming.turn.request.turn_key, refusal)
    async with asyncio.timeout(WITHIN_S):
        exchange = await sending
    assert (exchange.status, exchange.json) == (status, {"error": {}})
    assert exchange.headers["content-type"] == "application/json"
    assert exchange.headers.get("x-should-retry") == retry
    assert exchange.headers.get("retry-after") == (str(retry_after) if retry_after else None)
    assert streaming.ends == [(True, False)]


async def test_a_client_that_leaves_in_mid_stream_is_noticed(streaming: Streaming) -> None:
    sending = await streaming.start()
    await streaming.turn.say(0, 3)
    await streaming.exchange.said(streaming.turn.frames[2])
    streaming.exchange.gone.set()
    async with asyncio.timeout(WITHIN_S):
        await sending
    assert not streaming.exchange.ended
    assert streaming.ends == [(False, True)]


async def test_a_client_that_leaves_before_the_first_frame_is_noticed(
    streaming: Streaming,
) -> None:
    sending = await streaming.start()
    streaming.exchange.gone.set()
    async with asyncio.timeout(WITHIN_S):
        await sending
    assert streaming.exchange.sent == []
    assert streaming.ends == [(False, False)]


async def test_a_server_that_is_stopped_lets_go_of_its_streams(streaming: Streaming) -> None:
    sending = await streaming.start()
    await streaming.turn.say(0, 3)
    await streaming.exchange.said(streaming.turn.frames[2])
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert streaming.ends == [(False, True)]


async def test_a_stream_that_is_handed_over_ends_with_an_event_that_is_no_end(
    streaming: Streaming,
) -> None:
    sending = await streaming.start()
    await streaming.turn.say(0, 3)
    await streaming.exchange.said(streaming.turn.frames[2])
    streaming.feed.hand_over()
    async with asyncio.timeout(WITHIN_S):
        exchange = await sending
    sent = b"".join(streaming.turn.frames[:3])
    assert exchange.body.startswith(sent)
    event = payload(exchange.body.removeprefix(sent))
    assert (event["type"], event["code"]) == ("error", "gateway_stopping")
    # Who resumes behind it gets the next frame.
    assert event["sequence_number"] == 2
    assert exchange.ended
    assert streaming.ends == [(False, True)]


async def test_a_stream_that_is_handed_over_before_its_first_frame_tells_the_id(
    streaming: Streaming,
) -> None:
    sending = await streaming.start()
    streaming.feed.hand_over()
    async with asyncio.timeout(WITHIN_S):
        exchange = await sending
    assert (exchange.status, exchange.json["error"]["code"]) == (503, "gateway_stopping")
    assert streaming.turn.request.response_id in exchange.json["error"]["message"]
    assert exchange.headers["x-should-retry"] == "false"
    # A client that knows the id may come back: the turn has its grace.
    assert streaming.ends == [(False, True)]


async def test_a_fault_of_the_gateway_ends_a_stream_with_an_error(
    streaming: Streaming, monkeypatch: pytest.MonkeyPatch
) -> None:
    sending = await streaming.start()
    await streaming.turn.say(0, 3)
    await streaming.exchange.said(streaming.turn.frames[2])

    async def fail() -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(streaming.feed, "_from_queue", fail)
    await streaming.turn.say(3, 4)
    async with asyncio.timeout(WITHIN_S):
        with pytest.raises(RuntimeError, match="a fault"):
            await sending
    body = streaming.exchange.body.removeprefix(b"".join(streaming.turn.frames[:3]))
    frame, done = body.split(b"\n\n", 1)
    error = payload(frame + b"\n\n")
    assert (error["code"], error["sequence_number"], done) == ("stream_interrupted", 3, DONE)
    assert streaming.exchange.ended


async def test_a_plain_answer_says_its_length() -> None:
    answer = PlainAnswer(EarlyResponse(200, b'{"id":"x"}'))
    exchange = await call(answer, "POST", "/")  # pyright: ignore[reportArgumentType]
    assert exchange.headers["content-length"] == "10"
    assert exchange.json == {"id": "x"}
