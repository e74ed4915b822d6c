"""A stream ends by an event, whatever came of its turn, and a stalled reader holds little."""

import asyncio

import pytest
from msgspec.structs import replace

from turnwire_contracts.errors.catalogue import failure
from turnwire_contracts.events import Failure, Status
from turnwire_contracts.wire.frames import DONE, KEEP_ALIVE, FrameMessage, payload
from turnwire_gateway.api.feed import FrameFeed
from turnwire_gateway.api.frames.backfill import Logs
from turnwire_gateway.api.frames.frame_queue import MOST_QUEUED_BYTES, QueuedBytes
from turnwire_gateway.api.stream_parts import Chunk
from turnwire_testing.examples import closed
from turnwire_testing.feeds import feed_of, long_turn, rest, whole
from turnwire_testing.told_turns import ToldTurn

WITHIN_S = 30.0


def output_too_large() -> Failure:
    """What a turn fails with whose output does not fit into the log."""
    return failure("output_too_large")


@pytest.fixture
async def turn() -> ToldTurn:
    return ToldTurn()


async def test_a_reader_that_stalls_holds_little_and_misses_nothing() -> None:
    turn = long_turn(60)
    queued = QueuedBytes()
    feed = FrameFeed(Logs(turn.log, turn.output, queued), turn.request.turn_key)
    await feed.start()
    for number in range(turn.count - 1):
        await turn.say(number, number + 1)
    assert queued.count <= MOST_QUEUED_BYTES
    await turn.say(turn.count - 1, turn.count)
    bodies: list[bytes] = []
    async with asyncio.timeout(WITHIN_S):
        while not bodies or not bodies[-1].endswith(DONE):
            part = await feed.read()
            assert isinstance(part, Chunk), part
            bodies.append(part.body)
            assert queued.count <= MOST_QUEUED_BYTES + max(map(len, turn.frames))
    assert b"".join(bodies) == whole(turn)
    await feed.stop()
    assert queued.count == 0


async def test_a_turn_whose_output_was_too_large_for_the_log_ends_for_who_saw_more(
    turn: ToldTurn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("turnwire_gateway.api.feed._UNSTORED_WITHIN_S", 0.01)
    monkeypatch.setattr("turnwire_gateway.api.frames.silence.LOOK_AFTER_S", 0.1)
    feed = feed_of(turn)
    await feed.start()
    await turn.say(0, 6)
    await turn.log.append(turn.request, None)
    await turn.log.append(closed(status="failed", failure=output_too_large(), output=[]), None)
    assert await feed.read() == Chunk(b"".join(turn.frames[:6]))
    feed.look()
    async with asyncio.timeout(WITHIN_S):
        while (part := await feed.read()) == Chunk(KEEP_ALIVE):
            pass
    assert isinstance(part, Chunk)
    assert part.last
    frame, done = part.body.split(b"\n\n", 1)
    end = payload(frame + b"\n\n")
    assert (end["type"], end["sequence_number"], done) == ("response.failed", 6, DONE)
    assert end["response"]["error"]["code"] == "output_too_large"
    await feed.stop()


async def test_who_joins_a_failed_turn_behind_what_the_log_has_hears_its_end() -> None:
    turn = ToldTurn()
    await turn.log.append(turn.request, None)
    await turn.log.append(closed(status="failed", failure=output_too_large(), output=[]), None)
    for start in (3, 500):
        feed = feed_of(turn, start)
        await feed.start()
        told = await rest(feed)
        assert b"event: response.failed" in told
        assert b'"sequence_number":%d' % start in told


@pytest.mark.parametrize("status", ["failed", "incomplete", "cancelled"])
async def test_who_joins_behind_the_end_of_a_turn_whose_output_was_kept_hears_it_not_again(
    turn: ToldTurn, status: Status
) -> None:
    failed = output_too_large() if status == "failed" else None
    await turn.log.append(turn.request, None)
    await turn.log.append(replace(turn.closed, status=status, failure=failed), None)
    for start in (turn.count, 500):
        feed = feed_of(turn, start)
        await feed.start()
        assert await rest(feed) == DONE


async def test_a_turn_that_cannot_be_read_ends_with_an_error(turn: ToldTurn) -> None:
    feed = feed_of(turn, 0)
    await feed.start()
    await turn.log.append(closed(output=[]), None)
    await turn.log.append(closed(output=[]), None)
    part = await feed.read()
    assert isinstance(part, Chunk)
    assert part.last
    assert b'"code":"stream_interrupted"' in part.body
    await feed.stop()


async def test_what_an_owner_far_behind_has_told_otherwise_is_left_out() -> None:
    turn = long_turn(30)
    for number in range(20):
        await turn.say(number, number + 1)
    lost = [b'data: {"other":%d}\n\n' % number for number in range(20, 25)]
    other = FrameMessage("F", 1, 20, 5, b"".join(lost))
    await turn.output.publish(turn.request.turn_key, other)
    for number in range(20, turn.count):
        await turn.say(number, number + 1, epoch=2)
    feed = feed_of(turn, 0)
    await feed.start()
    assert await rest(feed) == whole(turn)


async def test_a_reader_of_an_unstored_turn_is_told_when_its_successor_knew_less_than_it_read(
    turn: ToldTurn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by the simulation (c3t1f4s6612ju): the reader waited for the turn's time limit."""
    monkeypatch.setattr("turnwire_gateway.api.feed._UNSTORED_WITHIN_S", 0.1)
    monkeypatch.setattr("turnwire_gateway.api.frames.silence.LOOK_AFTER_S", 0.02)
    turn.output.unkept = {2}
    feed = feed_of(turn)
    await feed.start()
    await turn.say(0, 2)
    await turn.say(2, 6)
    assert await feed.read() == Chunk(b"".join(turn.frames[:6]))
    await turn.log.append(closed(stored=False, output=[]), None)
    end = FrameMessage("E", 2, 2, 1, b'data: {"type":"response.failed"}\n\n')
    await turn.output.publish(turn.request.turn_key, end)
    told = await rest(feed)
    assert b'"code":"stream_interrupted"' in told
    assert b'"sequence_number":6' in told
