"""Another orchestrator carries on where a lost one stopped; nothing that was seen is taken back."""

import asyncio

import pytest

from scripted_backend import calls, says, thinks
from turnwire_chassis.jetstream.inbox import DisownedError
from turnwire_chassis.jetstream.topology import MAX_DELIVERIES
from turnwire_chassis.memory.output_log import MemoryOutputLog
from turnwire_contracts.events import Requested, TakenOver
from turnwire_contracts.wire.frames import payload
from turnwire_contracts.wire.stream import stream_of
from turnwire_testing.examples import OTHER_ID, RESPONSE_ID, TURN, closed, user
from turnwire_testing.orchestration import Hold, Step, World
from turnwire_testing.samples import events_of
from turnwire_testing.stream_grammar import check_stream

WITHIN_S = 5.0


@pytest.fixture
async def world() -> World:
    return World()


async def lose_owner(world: World, request: Requested, *told: Step) -> None:
    """Let a first orchestrator play these steps and then vanish."""
    hold = Hold()
    world.backend.plays(*told, hold)
    driving = asyncio.create_task(world.run(request))
    async with asyncio.timeout(WITHIN_S):
        await hold.reached.wait()
        driving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await driving


async def test_the_stream_goes_on_without_a_gap_and_keeps_what_was_seen(world: World) -> None:
    request = await world.request(stream=True)
    await lose_owner(world, request, *events_of(thinks("hm") + says("Hel", "lo"))[:11])
    seen = await world.frames(request)
    world.backend.plays(*events_of(says("Good ", "day.")))
    await world.run(request, attempt=2, claim="second")
    frames = await world.frames(request)
    assert frames[: len(seen)] == seen
    check_stream([payload(frame) for frame in frames])
    turn = await world.closed(request)
    assert [item["type"] for item in turn.output] == ["reasoning", "message", "message"]
    assert [item["status"] for item in turn.output] == ["completed", "incomplete", "completed"]
    assert turn.output[1]["content"][0]["text"] == "Hel"
    assert turn.output[2]["content"][0]["text"] == "Good day."
    assert frames == stream_of(turn)


@pytest.mark.parametrize("lost_after", range(12))
async def test_it_does_not_matter_where_the_owner_was_lost(world: World, lost_after: int) -> None:
    told = events_of(says("Hel", "lo") + calls("add", {"a": 1}))
    request = await world.request(stream=True)
    await lose_owner(world, request, *told[:lost_after])
    seen = await world.frames(request)
    world.backend.plays(*told)
    await world.run(request, attempt=2, claim="second")
    frames = await world.frames(request)
    assert frames[: len(seen)] == seen
    check_stream([payload(frame) for frame in frames])
    assert frames == stream_of(await world.closed(request))


async def test_a_turn_that_loses_two_owners_still_comes_to_its_end(world: World) -> None:
    request = await world.request(stream=True)
    await lose_owner(world, request, *events_of(says("one"))[:5])
    hold = Hold()
    world.backend.plays(*events_of(says("two"))[:5], hold)
    second = asyncio.create_task(world.run(request, attempt=2, claim="second"))
    async with asyncio.timeout(WITHIN_S):
        await hold.reached.wait()
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
    world.backend.plays(*events_of(says("three")))
    await world.run(request, attempt=3, claim="third")
    frames = await world.frames(request)
    check_stream([payload(frame) for frame in frames])
    turn = await world.closed(request)
    assert [item["content"][0]["text"] for item in turn.output] == ["one", "two", "three"]
    assert frames == stream_of(turn)


async def test_what_was_abandoned_is_not_part_of_later_histories(world: World) -> None:
    request = await world.request(stream=True)
    await lose_owner(world, request, *events_of(says("Hel", "lo"))[:5])
    world.backend.plays(*events_of(says("Good day.")))
    await world.run(request, attempt=2, claim="second")
    world.backend.plays(*events_of(says("Bye.")))
    await world.run(
        await world.request(
            response_id=OTHER_ID, previous_response_id=RESPONSE_ID, input=[user("Bye!")]
        )
    )
    texts = [item["content"][0]["text"] for item in world.backend.bodies[-1]["input"]]
    assert texts == ["Hello?", "Good day.", "Bye!"]


async def test_what_nobody_saw_is_replaced_by_the_new_sample(world: World) -> None:
    request = await world.request()
    await lose_owner(world, request, *events_of(says("Hel", "lo"))[:5])
    world.backend.plays(*events_of(says("Good day.")))
    await world.run(request, attempt=2, claim="second")
    turn = await world.closed(request)
    assert [item["content"][0]["text"] for item in turn.output] == ["Good day."]
    assert world.answer[0] == 200


async def test_an_owner_that_lost_its_turn_stops_and_tells_nothing(world: World) -> None:
    hold = Hold()
    told = events_of(says("Hel", "lo"))
    world.backend.plays(*told[:5], hold, *told[5:])
    request = await world.request()
    stale = asyncio.create_task(world.run(request))
    async with asyncio.timeout(WITHIN_S):
        await hold.reached.wait()
        world.backend.plays(*events_of(says("Good day.")))
        await world.run(request, attempt=2, claim="second")
        ended = await world.events(request)
        hold.release()
        with pytest.raises(DisownedError):
            await stale
    assert await world.events(request) == ended
    assert len(world.answers) == 1


async def test_an_owner_that_lost_its_turn_in_mid_stream_never_ends_it(world: World) -> None:
    hold = Hold()
    told = events_of(says("Hel", "lo"))
    world.backend.plays(*told[:5], hold, *told[5:])
    request = await world.request(stream=True)
    stale = asyncio.create_task(world.run(request))
    async with asyncio.timeout(WITHIN_S):
        await hold.reached.wait()
        world.backend.plays(*events_of(says("Good day.")))
        await world.run(request, attempt=2, claim="second")
        hold.release()
        with pytest.raises(DisownedError):
            await stale
    messages = await world.output.read(TURN)
    assert [message.epoch for message in messages if message.kind == "E"] == [2]


async def test_of_two_new_owners_one_has_the_turn(world: World) -> None:
    request = await world.request()
    await lose_owner(world, request)
    holds = Hold(), Hold()
    for hold in holds:
        world.backend.plays(hold, *events_of(says("Good day.")))
    owners = [
        asyncio.create_task(world.run(request, attempt=attempt, claim=f"owner {attempt}"))
        for attempt in (2, 3)
    ]
    async with asyncio.timeout(WITHIN_S):
        await holds[0].reached.wait()
        await holds[1].reached.wait()
        for hold in holds:
            hold.release()
        results = await asyncio.gather(*owners, return_exceptions=True)
    assert [type(result) for result in results] == [DisownedError, type(None)]
    claims = [event.cause for event in await world.events(request) if isinstance(event, TakenOver)]
    assert claims == ["owner 2:2", "owner 3:3"]
    assert len(world.answers) == 1


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_an_end_that_was_not_told_is_told_by_the_next_owner(
    world: World, *, stream: bool
) -> None:
    world.backend.plays(*events_of(says("Hel", "lo")))
    request = await world.request(stream=stream)
    await world.run(request)
    told, log = await world.output.read(TURN), await world.events(request)
    world.output, first_answers = MemoryOutputLog(), list(world.answers)
    world.answers.clear()
    await world.output.await_answer(TURN, world.answers.append)
    for message in told[:-1]:
        await world.output.publish(TURN, message)
    await world.run(request, attempt=2, claim="second")
    assert [answer.body for answer in world.answers] == [answer.body for answer in first_answers]
    assert len(world.backend.bodies) == 1
    assert await world.events(request) == log
    expected = stream_of(await world.closed(request)) if stream else []
    assert await world.frames(request) == expected


async def test_an_end_that_was_told_is_not_told_again(world: World) -> None:
    world.backend.plays(*events_of(says("Hel", "lo")))
    request = await world.request(stream=True)
    await world.run(request)
    told = await world.output.read(TURN)
    await world.run(request, attempt=2, claim="second")
    assert await world.output.read(TURN) == told


async def test_an_answer_that_was_not_to_be_kept_and_was_not_told_is_lost(world: World) -> None:
    request = await world.request(store=False)
    await world.log.append(closed(stored=False, output=[]), None)
    await world.run(request, attempt=2, claim="second")
    status, body = world.answer
    assert (status, body["error"]["code"]) == (502, "answer_lost")
    assert await world.kinds(request) == ["closed"]


async def test_a_turn_that_outlives_many_owners_is_given_up(world: World) -> None:
    request = await world.request()
    await world.run(request, attempt=MAX_DELIVERIES, claim="last")
    status, body = world.answer
    assert (status, body["error"]["code"]) == (500, "turn_abandoned")
    assert world.backend.bodies == []
