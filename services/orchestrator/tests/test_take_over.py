"""Another orchestrator carries on where a lost one stopped; nothing that was seen is taken back."""

import asyncio

import pytest

from scripted_backend import calls, says, thinks
from turnwire_chassis.jetstream.delivery import OwnershipLostError
from turnwire_contracts.events import Requested, TakenOver
from turnwire_contracts.ids import TurnKey
from turnwire_contracts.wire.frames import FrameMessage, payload, split
from turnwire_contracts.wire.stream import stream_of
from turnwire_orchestrator.handlers import MOST_OWNERS
from turnwire_orchestrator.turn_runner.channel import Channel
from turnwire_testing.examples import OTHER_ID, RESPONSE_ID, TURN, closed, user
from turnwire_testing.held_streams import held_stream
from turnwire_testing.memory_output_log import MemoryOutputLog
from turnwire_testing.orchestration import Hold, Step, World
from turnwire_testing.samples import events_of
from turnwire_testing.stream_grammar import check_stream

WITHIN_S = 30.0


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


class WakingOutput(MemoryOutputLog):
    """An output on which a lost owner goes on, before and behind its successor's announcement."""

    def __init__(self) -> None:
        """Let nobody go on yet."""
        super().__init__()
        self.before: list[FrameMessage] = []
        self.behind: list[FrameMessage] = []

    async def publish(self, turn: TurnKey, message: FrameMessage) -> None:
        """See `OutputLog.publish`."""
        before, behind = (self.before, self.behind) if message.announces_owner else ([], [])
        for each in (*before, message, *behind):
            await super().publish(turn, each)


@pytest.mark.parametrize("woke", [0, 1, 2])
async def test_what_a_lost_owner_tells_behind_the_announcement_of_the_next_is_not_counted(
    world: World, woke: int
) -> None:
    """Found by the simulation (r1t1f4s8084): a frozen owner woke up and went on telling."""
    told = events_of(says("Good ", "old ", "day."))
    elsewhere = World()
    elsewhere.backend.plays(*told)
    await elsewhere.run(request := await elsewhere.request(stream=True))
    world.output = output = WakingOutput()
    await lose_owner(world, await world.request(stream=True), *told[:5])
    known = len(await world.frames(request))
    late = [
        message
        for message in await elsewhere.output.read(TURN)
        if message.kind == "F" and message.first >= known
    ]
    output.before, output.behind = late[:woke], late[woke:]
    world.backend.plays(*events_of(says("Good day.")))
    await world.run(request, attempt=2, claim="second")
    first, second = (await world.closed(request)).output
    assert first["content"][0]["text"] == "".join(("Good ", "old ", "day.")[: woke + 1])
    assert second["content"][0]["text"] == "Good day."
    seen = await Channel(output, request, 3).published()
    assert seen == stream_of(await world.closed(request))


async def test_a_new_owner_that_finds_no_frames_has_none_before_its_own(world: World) -> None:
    """The broker may have lost what the first one told: readers of that are told so."""
    request = await world.request(stream=True)
    for epoch, first, word in ((1, 0, b"a"), (1, 1, b"b"), (1, 2, b"c"), (2, 1, b"d")):
        message = FrameMessage("F", epoch, first, 1, b"data: %b\n\n" % word)
        await world.output.publish(TURN, message)
    published = await Channel(world.output, request, 3).published()
    assert published == [b"data: a\n\n", b"data: d\n\n"]


async def test_an_announcement_that_is_not_kept_is_made_again(world: World) -> None:
    """The stream of frames may be without a leader for a moment."""

    class LeaderlessOutput(MemoryOutputLog):
        lost = 2

        async def publish(self, turn: TurnKey, message: FrameMessage) -> None:
            self.lost -= message.announces_owner
            if not message.announces_owner or self.lost < 0:
                await super().publish(turn, message)

    world.output = LeaderlessOutput()
    request = await world.request(stream=True)
    await lose_owner(world, request, *events_of(says("Hel", "lo"))[:5])
    world.backend.plays(*events_of(says("Good day.")))
    await world.run(request, attempt=2, claim="second")
    announced = [each.epoch for each in await world.output.read(TURN) if each.announces_owner]
    assert announced == [2]
    assert await world.frames(request) == stream_of(await world.closed(request))


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
        with pytest.raises(OwnershipLostError):
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
        with pytest.raises(OwnershipLostError):
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
    assert [type(result) for result in results] == [OwnershipLostError, type(None)]
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
    await world.claims(request, MOST_OWNERS - 2)
    await world.run(request, attempt=MOST_OWNERS, claim="last")
    status, body = world.answer
    assert (status, body["error"]["code"]) == (500, "turn_abandoned")
    assert world.backend.bodies == []


@pytest.mark.parametrize("stream", [False, True])
async def test_a_turn_whose_owner_lives_is_left_to_it(world: World, *, stream: bool) -> None:
    request = await world.request(stream=stream)
    hold = Hold()
    world.backend.plays(*events_of(says("Good ", "day."))[:5], hold)
    first = asyncio.create_task(world.run(request))
    async with asyncio.timeout(WITHIN_S):
        await hold.reached.wait()
        world.owners.living.add(request.turn_key)
        with pytest.raises(OwnershipLostError):
            await world.run(request, attempt=2, claim="second")
        assert await world.kinds(request) == ["requested"]
        world.owners.living.clear()
        first.cancel()
        await asyncio.wait({first})


async def test_deliveries_of_a_turn_that_had_one_owner_do_not_give_it_up(world: World) -> None:
    request = await world.request()
    world.backend.plays(*events_of(says("Good day.")))
    await world.run(request, attempt=40, claim="second")
    assert (await world.closed(request)).closed.status == "completed"


async def test_the_end_of_a_closed_turn_is_told_whoever_lives(world: World) -> None:
    request = await world.request()
    await world.log.append(closed(), None)
    world.owners.living.add(request.turn_key)
    await world.run(request, attempt=2, claim="second")
    assert world.answer[0] == 200


async def shown(world: World) -> list[bytes]:
    """What a reader has, who leaves out what is told once more."""
    frames: list[bytes] = []
    for message in await world.output.read(TURN):
        assert message.first <= len(frames), message
        frames += split(message.body)[len(frames) - message.first :]
    return frames


async def test_an_owner_without_a_connection_shows_nothing_until_it_knows_that_it_is_one(
    world: World,
) -> None:
    async with asyncio.timeout(WITHIN_S):
        held = await held_stream(world)
        seen = await shown(world)
        held.handlers.connection_lost()
        held.first.release()
        await held.then.reached.wait()
        assert await shown(world) == seen
        await held.handlers.connection_found()
        assert len(await shown(world)) == len(seen) + 1
        held.then.release()
        await held.driving
    assert await shown(world) == stream_of(await world.closed(held.request))


async def test_an_owner_that_lost_its_turn_while_it_had_no_connection_shows_nothing_more(
    world: World,
) -> None:
    async with asyncio.timeout(WITHIN_S):
        held = await held_stream(world)
        held.handlers.connection_lost()
        held.first.release()
        await held.then.reached.wait()
        world.backend.plays(*events_of(says("Good day.")))
        await world.run(held.request, attempt=2, claim="second")
        published = await world.output.read(TURN)
        await held.handlers.connection_found()
        assert await world.output.read(TURN) == published
        held.then.release()
        with pytest.raises(OwnershipLostError):
            await held.driving
    assert await world.output.read(TURN) == published
    assert await world.frames(held.request) == stream_of(await world.closed(held.request))


async def test_a_turn_that_begins_without_a_connection_is_shown_when_there_is_one(
    world: World,
) -> None:
    hold = Hold()
    told = events_of(says("Hel", "lo"))
    world.backend.plays(*told[:5], hold, *told[5:])
    request = await world.request(stream=True)
    handlers = world.orchestrator()
    handlers.connection_lost()
    driving = asyncio.create_task(handlers.requested(await world.delivery(request)))
    async with asyncio.timeout(WITHIN_S):
        await hold.reached.wait()
        assert await world.frames(request) == []
        await handlers.connection_found()
        assert await world.frames(request) != []
        hold.release()
        await driving
    assert await world.frames(request) == stream_of(await world.closed(request))


async def test_an_election_makes_no_owner_that_was_lost_show_anything(world: World) -> None:
    """The advisory may come before the owner could look whether it still is one."""
    async with asyncio.timeout(WITHIN_S):
        held = await held_stream(world)
        held.handlers.connection_lost()
        world.backend.plays(*events_of(says("Good day.")))
        await world.run(held.request, attempt=2, claim="second")
        published = await world.output.read(TURN)
        await held.handlers.say_again()
        held.first.release()
        await held.then.reached.wait()
        assert await world.output.read(TURN) == published
        held.then.release()
        with pytest.raises(OwnershipLostError):
            await held.driving


async def test_an_election_makes_an_owner_that_has_a_connection_say_all_again(
    world: World,
) -> None:
    hold = Hold()
    told = events_of(says("Hel", "lo"))
    world.backend.plays(*told[:4], hold, *told[4:])
    request = await world.request(stream=True)
    handlers = world.orchestrator()
    driving = asyncio.create_task(handlers.requested(await world.delivery(request)))
    async with asyncio.timeout(WITHIN_S):
        await hold.reached.wait()
        before = await world.output.read(TURN)
        await world.output.forget(TURN)
        await handlers.say_again()
        assert await world.output.read(TURN) == before
        hold.release()
        await driving
