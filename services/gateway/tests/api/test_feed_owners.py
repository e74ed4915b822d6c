"""A reader listens to the newest owner that it knows of, and is told what it cannot have."""

import pytest

from turnwire_contracts.wire.frames import KEEP_ALIVE, FrameMessage
from turnwire_contracts.wire.refusals import guard_unavailable
from turnwire_gateway.api.stream_parts import Chunk
from turnwire_testing.examples import closed, taken_over
from turnwire_testing.feeds import feed_of, long_turn, rest, whole
from turnwire_testing.told_turns import ToldTurn


@pytest.fixture
async def turn() -> ToldTurn:
    return ToldTurn()


async def test_a_reader_that_was_told_more_than_there_is_is_told_so(turn: ToldTurn) -> None:
    feed = feed_of(turn)
    await feed.start()
    await turn.say(0, turn.count - 1)
    await say_late(turn, turn.count - 1)
    await say_late(turn, turn.count)
    await feed.read()
    await turn.end()
    feed.look()
    part = await feed.read()
    assert isinstance(part, Chunk)
    assert b'"code":"stream_interrupted"' in part.body
    assert f"the response has {turn.count} events".encode() in part.body
    await feed.stop()


async def announce(turn: ToldTurn, first: int, epoch: int) -> None:
    """Let a new owner say that it has found so many frames."""
    announcement = FrameMessage("F", epoch, first, 0, b"")
    await turn.output.publish(turn.request.turn_key, announcement)


async def say_late(turn: ToldTurn, first: int) -> None:
    """Let the first owner go on though it was lost."""
    late = FrameMessage("F", 1, first, 1, b'data: {"type":"late"}\n\n')
    await turn.output.publish(turn.request.turn_key, late)


@pytest.mark.parametrize("joins_at", [None, 0, 2])
async def test_who_has_heard_of_a_new_owner_listens_to_no_older_one(
    turn: ToldTurn, joins_at: int | None
) -> None:
    """Found by the simulation (r1t2f1s3349): a frozen owner woke up and went on telling."""
    feed = feed_of(turn, joins_at)
    await feed.start()
    await turn.say(0, 4)
    await announce(turn, 4, epoch=2)
    await say_late(turn, 4)
    assert await feed.read() == Chunk(b"".join(turn.frames[joins_at or 0 : 4]))
    await turn.say(4, turn.count, epoch=2)
    assert await rest(feed) == whole(turn, 4)


@pytest.mark.parametrize("joins_at", [0, 4])
async def test_kept_frames_of_an_owner_that_was_lost_count_up_to_the_next_ones_announcement(
    turn: ToldTurn, joins_at: int
) -> None:
    await turn.say(0, 4)
    await announce(turn, 4, epoch=2)
    await say_late(turn, 4)
    feed = feed_of(turn, joins_at)
    await feed.start()
    feed.look()
    await turn.say(4, turn.count, epoch=2)
    assert await rest(feed) == whole(turn, joins_at)


async def test_who_has_heard_of_a_new_owner_still_fetches_what_older_ones_told_before(
    turn: ToldTurn,
) -> None:
    feed = feed_of(turn)
    await feed.start()
    turn.output.unheard = {2}
    await turn.say(0, 2)
    await turn.say(2, 4)
    await announce(turn, 4, epoch=2)
    await say_late(turn, 4)
    await turn.say(4, turn.count, epoch=2)
    assert await rest(feed) == whole(turn)


async def test_kept_frames_are_not_trusted_where_the_announcement_that_was_heard_is_lost(
    turn: ToldTurn,
) -> None:
    feed = feed_of(turn)
    await feed.start()
    await turn.say(0, 4)
    assert await feed.read() == Chunk(b"".join(turn.frames[:4]))
    turn.output.unkept = {4}
    await announce(turn, 4, epoch=2)
    await say_late(turn, 4)
    feed.look()
    assert await feed.read() == Chunk(KEEP_ALIVE)
    await turn.say(4, turn.count, epoch=2)
    assert await rest(feed) == whole(turn, 4)


async def test_a_refusal_by_an_owner_that_did_not_know_what_was_seen_ends_the_stream(
    turn: ToldTurn,
) -> None:
    """Found by the simulation (c3t2f3s5881): `[DONE]` came where a terminal event was due."""
    feed = feed_of(turn)
    await feed.start()
    await turn.say(0, 6, epoch=1)
    await feed.read()
    about = {"tenant": turn.request.tenant, "response_id": turn.request.response_id}
    failed = closed(status="failed", failure=guard_unavailable(), output=[], **about)
    await turn.log.append(turn.request, None)
    await turn.log.append(taken_over(**about), None)
    await turn.log.append(failed, None)
    await turn.output.publish(turn.request.turn_key, FrameMessage("A", 2, 502, 0, b"{}"))
    part = await feed.read()
    assert isinstance(part, Chunk)
    assert b'"code":"stream_interrupted"' in part.body
    assert b'"sequence_number":6' in part.body
    await feed.stop()


async def test_an_announcement_that_is_kept_far_behind_counts_for_what_was_told_before_it() -> None:
    turn = long_turn(30)
    for number in range(20):
        await turn.say(number, number + 1)
    feed = feed_of(turn, 0)
    await feed.start()
    await announce(turn, 20, epoch=2)
    await say_late(turn, 20)
    part = await feed.read()
    assert isinstance(part, Chunk)
    assert part.body.startswith(turn.frames[0])
    for number in range(20, turn.count):
        await turn.say(number, number + 1, epoch=2)
    assert part.body + await rest(feed) == whole(turn)


async def test_who_fetches_behind_a_loss_of_memory_looks_at_all_that_is_kept_since(
    turn: ToldTurn,
) -> None:
    """Found by the simulation (r1t2f2s14073p): what told it otherwise stood in front of its place.

    It was given the rest of the new owner's frames behind those of the old one.
    """
    turn.output.unheard = {0, 2, 6}
    feed = feed_of(turn, 0)
    await feed.start()
    await turn.say(0, 2)
    await turn.say(2, 6)
    assert await feed.read() == Chunk(b"".join(turn.frames[:6]))
    await turn.output.forget(turn.request.turn_key)
    await announce(turn, 0, epoch=2)
    others = b"".join(b'data: {"other":%d}\n\n' % number for number in range(6))
    await turn.output.publish(turn.request.turn_key, FrameMessage("F", 2, 0, 6, others))
    await turn.say(6, turn.count, epoch=2)
    feed.look()
    part = await feed.read()
    assert isinstance(part, Chunk)
    assert b'"code":"stream_interrupted"' in part.body
    await feed.stop()
