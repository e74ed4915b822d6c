"""A turn that nobody wants any more ends at once, with what it has; a shutdown ends nothing."""

import asyncio

import pytest

from scripted_backend import calls, says
from turnwire_contracts import subjects
from turnwire_contracts.events import Closed, Requested
from turnwire_contracts.wire.stream import stream_of
from turnwire_orchestrator.handlers import TurnHandlers
from turnwire_testing.examples import cancel_requested
from turnwire_testing.held_streams import lose_owner_at
from turnwire_testing.memory_event_log import Event, MemoryEventLog
from turnwire_testing.orchestration import Hold, World
from turnwire_testing.samples import events_of
from turnwire_testing.stream_grammar import check_stream

WITHIN_S = 30.0
both = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])


@pytest.fixture
async def world() -> World:
    return World()


async def wish(world: World, request: Requested, *hearing: TurnHandlers) -> None:
    """Ask for the end as the gateway does; the broker tells the orchestrators that listen."""
    event = cancel_requested(response_id=request.response_id)
    await world.log.append(event, None)
    for orchestrator in hearing:
        orchestrator.cancel_requested(
            subjects.turn_event(request.tenant, request.response_id, "cancel_requested")
        )


@both
async def test_a_turn_that_is_cancelled_in_mid_sample_keeps_what_was_said(
    world: World, *, stream: bool
) -> None:
    hold, orchestrator = Hold(), world.orchestrator()
    world.backend.plays(*events_of(says("Hel", "lo"))[:5], hold)
    request = await world.request(stream=stream)
    driving = asyncio.create_task(orchestrator.requested(await world.delivery(request)))
    async with asyncio.timeout(WITHIN_S):
        await hold.reached.wait()
        await wish(world, request, orchestrator)
        await driving
    assert hold.left
    turn = await world.closed(request)
    assert (turn.closed.status, turn.closed.failure) == ("cancelled", None)
    assert turn.output[0]["content"][0]["text"] == "Hel"
    assert turn.output[0]["status"] == "incomplete"
    assert await world.kinds(request) == ["requested", "cancel_requested", "closed"]
    if stream:
        events = await world.stream(request)
        check_stream(events)
        assert events[-1]["type"] == "response.failed"
        assert events[-1]["response"]["status"] == "cancelled"
        assert await world.frames(request) == stream_of(turn)


async def test_a_wish_that_its_owner_did_not_hear_is_seen_at_the_next_append(world: World) -> None:
    hold = Hold()
    world.backend.plays(*events_of(says("Hel", "lo"))[:5], hold, *events_of(says("Hel", "lo"))[5:])
    request = await world.request()
    driving = asyncio.create_task(world.run(request))
    async with asyncio.timeout(WITHIN_S):
        await hold.reached.wait()
        await wish(world, request)
        hold.release()
        await driving
    turn = await world.closed(request)
    assert turn.closed.status == "cancelled"
    assert turn.output[0]["content"][0]["text"] == "Hello"


async def test_a_turn_that_was_cancelled_before_it_came_is_not_sampled(world: World) -> None:
    orchestrator = world.orchestrator()
    request = await world.request()
    delivery = await world.delivery(request)
    await wish(world, request, orchestrator)
    await orchestrator.requested(delivery)
    assert world.backend.bodies == []
    assert (await world.closed(request)).closed.status == "cancelled"


async def test_a_stream_that_is_cancelled_before_it_opens_is_told_as_a_whole(world: World) -> None:
    hold, orchestrator = Hold(), world.orchestrator()
    world.backend.plays(before=hold)
    request = await world.request(stream=True)
    driving = asyncio.create_task(orchestrator.requested(await world.delivery(request)))
    async with asyncio.timeout(WITHIN_S):
        await hold.reached.wait()
        await wish(world, request, orchestrator)
        await driving
    events = await world.stream(request)
    check_stream(events)
    assert events[-1]["response"]["status"] == "cancelled"


async def test_two_wishes_are_one(world: World) -> None:
    hold, orchestrator = Hold(), world.orchestrator()
    world.backend.plays(*events_of(says("Hel", "lo"))[:5], hold)
    request = await world.request()
    driving = asyncio.create_task(orchestrator.requested(await world.delivery(request)))
    async with asyncio.timeout(WITHIN_S):
        await hold.reached.wait()
        await wish(world, request, orchestrator)
        await wish(world, request, orchestrator)
        await driving
    assert (await world.kinds(request))[-1] == "closed"
    assert (await world.closed(request)).closed.status == "cancelled"


async def test_a_wish_that_comes_after_the_end_changes_nothing(world: World) -> None:
    orchestrator = world.orchestrator()
    world.backend.plays(*events_of(says("Hi")))
    request = await world.request()
    await orchestrator.requested(await world.delivery(request))
    before = await world.closed(request)
    await wish(world, request, orchestrator)
    assert await world.closed(request) == before
    assert len(world.answers) == 1


async def test_a_cancelled_turn_can_be_continued(world: World) -> None:
    hold, orchestrator = Hold(), world.orchestrator()
    world.backend.plays(*events_of(calls("add", {"a": 1}))[:4], hold)
    request = await world.request()
    driving = asyncio.create_task(orchestrator.requested(await world.delivery(request)))
    async with asyncio.timeout(WITHIN_S):
        await hold.reached.wait()
        await wish(world, request, orchestrator)
        await driving
    assert request.response_id in world.histories.known


@both
async def test_an_orchestrator_that_is_shut_down_leaves_the_turn_to_others(
    world: World, *, stream: bool
) -> None:
    hold = Hold()
    world.backend.plays(*events_of(says("Hel", "lo"))[:5], hold)
    request = await world.request(stream=stream)
    await lose_owner_at(world, request, hold)
    assert hold.left
    assert await world.kinds(request) == ["requested"]
    assert world.answers == []


async def test_a_cancelled_turn_is_told_to_have_ended_only_when_that_is_durable(
    world: World,
) -> None:
    told_before: list[int] = []

    class Watched(MemoryEventLog):
        async def append(self, event: Event, expected: int | None) -> int:
            if isinstance(event, Closed):
                told_before.append(len(await world.frames(request)))
            return await super().append(event, expected)

    world.log = Watched()
    hold, orchestrator = Hold(), world.orchestrator()
    world.backend.plays(*events_of(says("Hel", "lo"))[:5], hold)
    request = await world.request(stream=True)
    driving = asyncio.create_task(orchestrator.requested(await world.delivery(request)))
    async with asyncio.timeout(WITHIN_S):
        await hold.reached.wait()
        await wish(world, request, orchestrator)
        await driving
    # Opening, item, part and one delta: the rest belongs to the end.
    assert set(told_before) == {5}
