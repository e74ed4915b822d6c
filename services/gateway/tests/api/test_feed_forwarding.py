"""Frames leave as they come where the server writes at once; which ones do changes no stream."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts.wire.frames import DONE, FrameMessage
from turnwire_gateway.api.feed import FrameFeed
from turnwire_gateway.api.frames.backfill import Logs
from turnwire_gateway.api.frames.frame_queue import MOST_QUEUED_BYTES, QueuedBytes
from turnwire_gateway.api.stream_parts import Chunk, EarlyResponse
from turnwire_testing.feeds import feed_of, long_turn, whole
from turnwire_testing.told_turns import ToldTurn

WITHIN_S = 30.0


async def test_frames_that_follow_leave_at_once_while_the_reader_waits() -> None:
    turn = ToldTurn()
    left: list[bytes] = []

    def forward(body: bytes) -> bool:
        left.append(body)
        return True

    feed = feed_of(turn)
    await feed.start()
    await turn.say(0, 1)
    assert await feed.read() == Chunk(turn.frames[0])
    feed.forward_by(forward)
    await turn.say(1, 2)
    assert not left
    assert await feed.read() == Chunk(turn.frames[1])
    reading = asyncio.create_task(feed.read())
    await asyncio.sleep(0)
    await turn.say(2, 3)
    await turn.say(3, 4)
    assert left == turn.frames[2:4]
    await turn.say(4, turn.count)
    assert await reading == Chunk(whole(turn, 4), last=True)
    assert feed.sent == {"live": turn.count, "kept": 0, "log": 0}
    await feed.stop()


async def test_a_reader_that_stalls_after_frames_left_at_once_holds_little_and_misses_nothing() -> (
    None
):
    turn = long_turn(60)
    queued, left, is_stalled = QueuedBytes(), list[bytes](), False

    def forward(body: bytes) -> bool:
        if not is_stalled:
            left.append(body)
        return not is_stalled

    feed = FrameFeed(Logs(turn.log, turn.output, queued), turn.request.turn_key)
    await feed.start()
    feed.forward_by(forward)
    reading = asyncio.create_task(feed.read())
    for number in range(turn.count):
        is_stalled = number >= 10
        await turn.say(number, number + 1)
        if number < 10:
            await asyncio.sleep(0)
            if reading.done():
                left.append(_body(await reading))
                reading = asyncio.create_task(feed.read())
                await asyncio.sleep(0)
        assert queued.count <= MOST_QUEUED_BYTES
    assert left == turn.frames[:10]
    is_stalled = False
    async with asyncio.timeout(WITHIN_S):
        while not left[-1].endswith(DONE):
            left.append(_body(await reading))
            assert queued.count <= MOST_QUEUED_BYTES + max(map(len, turn.frames))
            reading = asyncio.create_task(feed.read())
    reading.cancel()
    assert b"".join(left) == whole(turn)
    assert feed.sent["kept"] > 0
    await feed.stop()
    assert queued.count == 0


async def _waiting_behind(
    turn: ToldTurn, told: int, left: list[bytes]
) -> tuple[FrameFeed, asyncio.Task[Chunk | EarlyResponse | None]]:
    """Have a reader that was given so many frames wait; what leaves at once comes to `left`."""
    feed = feed_of(turn)
    await feed.start()
    await turn.say(0, told)
    await feed.read()
    feed.forward_by(lambda body: not left.append(body))
    reading = asyncio.create_task(feed.read())
    await asyncio.sleep(0)
    return feed, reading


def _body(part: object) -> bytes:
    assert isinstance(part, Chunk), part
    return part.body


async def test_what_an_announced_owner_left_behind_is_not_forwarded() -> None:
    turn, left = ToldTurn(), list[bytes]()
    feed, reading = await _waiting_behind(turn, 2, left)
    key = turn.request.turn_key
    await turn.output.publish(key, FrameMessage("F", 2, 0, 0, b""))
    await turn.say(2, 3)
    assert not left
    await turn.output.publish(key, turn.message(2, 3, epoch=2))
    await turn.output.publish(key, turn.message(3, turn.count, epoch=2))
    assert await reading == Chunk(whole(turn, 2), last=True)
    assert not left
    await feed.stop()


async def test_a_former_owner_says_nothing_at_once_behind_the_new_one() -> None:
    turn, left = ToldTurn(), list[bytes]()
    feed, reading = await _waiting_behind(turn, 2, left)
    for epoch in (2, 1):
        said = FrameMessage("F", epoch, 2, 1, b"data: of owner %d\n\n" % epoch)
        await turn.output.publish(turn.request.turn_key, said)
    assert await reading == Chunk(b"data: of owner 2\n\n")
    assert not left
    await feed.stop()


@given(st.data())
async def test_no_frame_is_lost_or_told_twice_by_leaving_at_once(data: st.DataObject) -> None:
    turn, left = ToldTurn(), list[bytes]()

    def forward(body: bytes) -> bool:
        takes = data.draw(st.booleans())
        if takes:
            left.append(body)
        return takes

    async def read() -> None:
        part = None
        while not (isinstance(part, Chunk) and part.last):
            part = await feed.read()
            assert isinstance(part, Chunk), part
            left.append(part.body)
            feed.forward_by(forward)

    feed = feed_of(turn)
    await feed.start()
    reading = asyncio.create_task(read())
    try:
        turn.output.unheard = data.draw(st.sets(st.integers(1, turn.count - 2)))
        said = 0
        while said < turn.count:
            last = turn.count - 1
            until = turn.count if said == last else data.draw(st.integers(said + 1, last))
            await turn.say(said, until)
            said = until
            if data.draw(st.booleans()):
                await asyncio.sleep(0)
        async with asyncio.timeout(WITHIN_S):
            await reading
    finally:
        reading.cancel()
        await feed.stop()
    assert b"".join(left) == whole(turn)
