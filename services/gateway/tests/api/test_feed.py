"""A reader gets every frame once and in order, whatever it missed and whoever wrote it."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts.wire.frames import DONE, KEEP_ALIVE, FrameMessage, payload
from turnwire_contracts.wire.refusals import guard_unavailable
from turnwire_gateway.api.stream_parts import Chunk, EarlyResponse
from turnwire_testing.examples import closed, taken_over
from turnwire_testing.feeds import feed_of, rest, whole
from turnwire_testing.stories import Part, Told
from turnwire_testing.told_turns import ToldTurn

WITHIN_S = 30.0


@pytest.fixture
async def turn() -> ToldTurn:
    return ToldTurn()


async def test_live_frames_are_passed_on_as_they_come(turn: ToldTurn) -> None:
    feed = feed_of(turn)
    await feed.start()
    for number in range(turn.count):
        await turn.say(number, number + 1)
        last = number == turn.count - 1
        expected = turn.frames[number] + (DONE if last else b"")
        assert await feed.read() == Chunk(expected, last)
    await feed.stop()


async def test_frames_that_wait_leave_together(turn: ToldTurn) -> None:
    feed = feed_of(turn)
    await feed.start()
    for number in range(turn.count):
        await turn.say(number, number + 1)
    assert await feed.read() == Chunk(whole(turn), last=True)
    await feed.stop()


async def test_a_gap_is_filled_from_the_kept_frames(turn: ToldTurn) -> None:
    feed = feed_of(turn)
    await feed.start()
    turn.output.unheard = {2, 4}
    for number in range(0, turn.count, 2):
        await turn.say(number, min(number + 2, turn.count))
    assert await rest(feed) == whole(turn)


@pytest.mark.parametrize("joins_at", [None, 0])
async def test_frames_that_the_broker_lost_are_waited_for_and_taken_from_where_they_stand(
    turn: ToldTurn, joins_at: int | None
) -> None:
    await turn.log.append(turn.request, None)
    feed = feed_of(turn, joins_at)
    await feed.start()
    turn.output.unheard = turn.output.unkept = {2}
    await turn.say(0, 2)
    await turn.say(2, 4)
    await turn.say(4, 6)
    assert await feed.read() == Chunk(b"".join(turn.frames[:2]))
    async with asyncio.timeout(2 * WITHIN_S):
        # No owner has told it again for longer than the broker needs to elect a leader.
        assert await feed.read() == Chunk(KEEP_ALIVE)
    for first, end in ((0, 2), (2, 4), (4, 6), (6, turn.count)):
        await turn.say(first, end)
    assert await rest(feed) == whole(turn, 2)


async def test_frames_of_a_turn_that_is_not_stored_are_waited_for_after_its_end(
    turn: ToldTurn,
) -> None:
    feed = feed_of(turn)
    await feed.start()
    turn.output.unheard = turn.output.unkept = {2}
    await turn.say(0, 2)
    await turn.say(2, 4)
    await turn.say(4, turn.count)
    await turn.log.append(turn.request, None)
    await turn.log.append(closed(stored=False, output=[]), None)
    assert await feed.read() == Chunk(b"".join(turn.frames[:2]))
    reading = asyncio.create_task(rest(feed))
    await turn.say(2, 4)
    assert await reading == whole(turn, 2)


async def test_a_gap_in_front_of_the_end_is_filled_from_the_log(turn: ToldTurn) -> None:
    feed = feed_of(turn)
    await feed.start()
    await turn.say(0, 3)
    await turn.end()
    await turn.output.forget(turn.request.turn_key)
    turn.output.unheard = {3}
    await turn.say(turn.count - 1, turn.count)
    await turn.output.forget(turn.request.turn_key)
    assert await rest(feed) == whole(turn)


async def test_what_is_told_twice_is_passed_on_once(turn: ToldTurn) -> None:
    feed = feed_of(turn)
    await feed.start()
    for first, end in [(0, 4), (0, 4), (2, 6), (0, 2), (6, turn.count), (0, turn.count)]:
        await turn.say(first, end)
    assert await rest(feed) == whole(turn)


async def test_a_slow_reader_misses_nothing() -> None:
    deltas = tuple("x" * 200_000 for _ in range(12))
    turn = ToldTurn((Told({"type": "message"}, (Part("output_text", deltas),)),))
    feed = feed_of(turn)
    await feed.start()
    for number in range(turn.count - 1):
        await turn.say(number, number + 1)
    await turn.say(turn.count - 1, turn.count)
    assert await rest(feed) == whole(turn)


@pytest.mark.parametrize("start", [0, 1, 5])
async def test_a_late_reader_gets_what_is_kept_and_then_what_comes(
    turn: ToldTurn, start: int
) -> None:
    await turn.say(0, 2)
    await turn.say(2, 6)
    feed = feed_of(turn, start)
    await feed.start()
    await turn.say(6, turn.count)
    assert await rest(feed) == whole(turn, start)


@pytest.mark.parametrize("start", [0, 1, 7, 1000])
async def test_a_turn_that_has_ended_is_told_again_from_the_log(turn: ToldTurn, start: int) -> None:
    await turn.end()
    feed = feed_of(turn, start)
    await feed.start()
    assert await rest(feed) == whole(turn, start)


async def test_a_reader_who_is_there_before_anything_gets_a_sign_of_life(turn: ToldTurn) -> None:
    await turn.log.append(turn.request, None)
    feed = feed_of(turn, 0)
    await feed.start()
    assert await feed.read() == Chunk(KEEP_ALIVE)
    await turn.say(0, turn.count)
    assert await rest(feed) == whole(turn)


async def test_an_owner_that_lost_the_turn_is_not_listened_to(turn: ToldTurn) -> None:
    feed = feed_of(turn)
    await feed.start()
    await turn.say(0, 4, epoch=1)
    await turn.say(4, 5, epoch=2)
    stale = FrameMessage("F", 1, 5, 1, b'data: {"type":"stale"}\n\n')
    await turn.output.publish(turn.request.turn_key, stale)
    await turn.say(5, turn.count, epoch=2)
    assert await rest(feed) == whole(turn)


async def test_a_new_owner_may_tell_the_end_again(turn: ToldTurn) -> None:
    feed = feed_of(turn)
    await feed.start()
    await turn.say(0, 6, epoch=1)
    first = await feed.read()
    assert first == Chunk(b"".join(turn.frames[:6]))
    await turn.say(2, turn.count, epoch=2)
    assert await feed.read() == Chunk(whole(turn, 6), last=True)
    await feed.stop()


async def test_the_end_of_an_owner_that_did_not_know_what_was_seen_ends_the_stream(
    turn: ToldTurn,
) -> None:
    """Found by the simulation (r1t2f4s62): the broker had lost what the first owner told."""
    feed = feed_of(turn)
    await feed.start()
    await turn.say(0, 6, epoch=1)
    await feed.read()
    about = {"tenant": turn.request.tenant, "response_id": turn.request.response_id}
    await turn.log.append(turn.request, None)
    await turn.log.append(taken_over(**about), None)
    await turn.log.append(turn.closed, None)
    await turn.say(2, turn.count, epoch=3)
    part = await feed.read()
    assert isinstance(part, Chunk)
    assert b"stream_interrupted" in part.body
    await feed.stop()


async def test_kept_frames_of_two_owners_are_not_put_together(turn: ToldTurn) -> None:
    """Found by the simulation (r1t2f4s62): the second owner did not know of the first one's."""
    feed = feed_of(turn)
    for first, end in ((0, 2), (2, 6)):
        others = [b'data: {"other":%d}\n\n' % number for number in range(first, end)]
        message = FrameMessage("F", 1, first, end - first, b"".join(others))
        await turn.output.publish(turn.request.turn_key, message)
    await turn.say(0, 2, epoch=2)
    await turn.say(2, 5, epoch=2)
    await turn.say(5, turn.count, epoch=2)
    await feed.start()
    feed.look()
    assert await rest(feed) == whole(turn)


@pytest.mark.parametrize("end", [5, 6, 8])
async def test_a_new_owner_that_contradicts_what_was_seen_ends_the_stream(
    turn: ToldTurn, end: int
) -> None:
    feed = feed_of(turn)
    await feed.start()
    await turn.say(0, 6, epoch=1)
    await feed.read()
    await turn.say(4, end, epoch=2)
    part = await feed.read()
    assert isinstance(part, Chunk)
    assert part.last
    frame, done = part.body.split(b"\n\n", 1)
    error = payload(frame + b"\n\n")
    assert (error["type"], error["code"], error["sequence_number"]) == (
        "error",
        "stream_interrupted",
        6,
    )
    assert done == DONE
    await feed.stop()


async def test_a_turn_that_ended_before_its_stream_began_is_a_plain_answer(turn: ToldTurn) -> None:
    feed = feed_of(turn)
    await feed.start()
    refusal = FrameMessage("A", 1, 400, 0, b"{}")
    await turn.output.publish(turn.request.turn_key, refusal)
    assert await feed.read() == EarlyResponse(400, b"{}")
    await feed.stop()


async def test_who_asks_again_for_such_a_turn_gets_the_same_answer(turn: ToldTurn) -> None:
    refusal = FrameMessage("A", 1, 400, 0, b"{}")
    await turn.output.publish(turn.request.turn_key, refusal)
    await turn.end()
    feed = feed_of(turn)
    await feed.start()
    feed.look()
    assert await feed.read() == EarlyResponse(400, b"{}", replayed=True)
    await feed.stop()


async def test_a_turn_that_was_not_stored_cannot_be_told_again(turn: ToldTurn) -> None:
    await turn.log.append(closed(stored=False, output=[]), None)
    feed = feed_of(turn, 3)
    await feed.start()
    part = await feed.read()
    assert isinstance(part, Chunk)
    assert part.last
    assert b'"code":"stream_interrupted"' in part.body
    assert b'"sequence_number":3' in part.body
    await feed.stop()


async def test_a_reader_who_leaves_is_not_kept_waiting(turn: ToldTurn) -> None:
    feed = feed_of(turn)
    await feed.start()
    reading = asyncio.create_task(feed.read())
    await asyncio.wait({reading}, timeout=0)
    feed.leave()
    async with asyncio.timeout(WITHIN_S):
        assert await reading is None
    assert await feed.read() is None
    await feed.stop()


@given(
    cuts=st.lists(st.integers(0, 99), max_size=6),
    unheard=st.sets(st.integers(0, 9), max_size=5),
    again=st.lists(st.integers(0, 5), max_size=3),
    joins_at=st.none() | st.integers(0, 9),
    joins_after=st.integers(0, 6),
)
def test_any_loss_and_any_repetition_gives_the_same_bytes(
    *,
    cuts: list[int],
    unheard: set[int],
    again: list[int],
    joins_at: int | None,
    joins_after: int,
) -> None:
    async def read() -> None:
        turn = ToldTurn()
        borders = sorted({0, turn.count, *(cut % turn.count for cut in cuts)})
        messages = list(pairwise(borders))
        # The end is always heard: a feed looks for it by itself only after a while.
        turn.output.unheard = unheard - {messages[-1][0]}
        early = 0 if joins_at is None else min(joins_after, len(messages) - 1)
        for first, end in messages[:early]:
            await turn.say(first, end)
        feed = feed_of(turn, joins_at)
        await feed.start()
        for number, (first, end) in enumerate(messages[early:], early):
            await turn.say(first, end)
            if number in again:
                await turn.say(first, end)
        assert await rest(feed) == whole(turn, joins_at or 0)

    asyncio.run(read())


async def test_a_failure_before_the_stream_began_is_a_plain_answer_also_when_it_was_lost(
    turn: ToldTurn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("turnwire_gateway.api.frames.silence.LOOK_AFTER_S", 0.01)
    failed = guard_unavailable()
    await turn.log.append(closed(stored=False, output=[], status="failed", failure=failed), None)
    feed = feed_of(turn)
    await feed.start()
    async with asyncio.timeout(WITHIN_S):
        answer = await feed.read()
    assert isinstance(answer, EarlyResponse)
    assert (answer.status, answer.retry_after_s) == (503, failed.retry_after_s)
    await feed.stop()
