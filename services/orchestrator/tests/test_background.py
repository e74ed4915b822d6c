"""A background turn: it leaves the queue once, opens at once, and ends inside its stream."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from scripted_backend import says
from turnwire_contracts.events import Failure, Requested
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.wire.stream import stream_of
from turnwire_orchestrator import failures
from turnwire_testing.examples import (
    AT,
    OTHER_ID,
    RESPONSE_ID,
    cancel_requested,
    closed,
    started,
)
from turnwire_testing.held_streams import lose_owner_at
from turnwire_testing.openai_types import check_response
from turnwire_testing.orchestration import POLICY, Hold, World
from turnwire_testing.samples import events_of
from turnwire_testing.stream_grammar import check_stream

WITHIN_S = 30.0
REFUSAL = Failure(
    http_status=400, type="invalid_request_error", code="context_length_exceeded", message="Long."
)


@pytest.fixture
async def world() -> World:
    return World()


async def ending(world: World, request: Requested) -> tuple[ClosedTurn, dict[str, Any]]:
    """Give the end of a turn and its last event; its stream must be whole."""
    turn = await world.closed(request)
    assert await world.frames(request) == stream_of(turn)
    events = await world.stream(request)
    check_stream(events)
    assert world.answers == []
    return turn, events[-1]


@pytest.mark.parametrize("stream", [False, True])
async def test_it_says_that_it_left_the_queue_and_then_answers(
    world: World, *, stream: bool
) -> None:
    world.backend.plays(*events_of(says("Hel", "lo")))
    request = await world.request(background=True, stream=stream)
    await world.run(request)
    assert await world.kinds(request) == ["requested", "started", "closed"]
    turn, last = await ending(world, request)
    assert (turn.closed.status, last["type"]) == ("completed", "response.completed")
    check_response(last["response"])


async def test_its_stream_opens_before_the_backend_accepts(world: World) -> None:
    hold = Hold()
    world.backend.plays(*events_of(says("Hi.")), before=hold)
    request = await world.request(background=True)
    driving = asyncio.create_task(world.run(request))
    async with asyncio.timeout(WITHIN_S):
        await hold.reached.wait()
        opening = [event["type"] for event in await world.stream(request)]
        assert opening[0] == "response.created"
        assert "response.in_progress" in opening
        hold.release()
        await driving
    await ending(world, request)


@pytest.mark.parametrize("before", [REFUSAL, None], ids=["refused", "nothing to continue"])
async def test_a_failure_ends_inside_the_stream(world: World, before: Failure | None) -> None:
    if before is not None:
        world.backend.plays(before=before)
        request = await world.request(background=True)
        code = before.code
    else:
        request = await world.request(background=True, previous_response_id=OTHER_ID)
        code = "previous_response_not_found"
    await world.run(request)
    turn, last = await ending(world, request)
    assert turn.closed.failure is not None
    assert (turn.closed.failure.code, last["type"]) == (code, "response.failed")
    assert last["response"]["error"]["code"] == code


async def test_a_failure_in_mid_answer_keeps_what_was_said(world: World) -> None:
    world.backend.plays(*events_of(says("Hel", "lo"))[:5], failures.backend_broke_off("reset"))
    request = await world.request(background=True)
    await world.run(request)
    turn, last = await ending(world, request)
    assert last["response"]["error"]["code"] == "backend_stream_broken"
    assert turn.output[0]["content"][0]["text"] == "Hel"


async def test_its_time_is_counted_from_its_request(world: World) -> None:
    waited_ms = int(POLICY.background_timeout_s * 1000) + 1
    world.backend.plays(before=Hold())
    request = await world.request(background=True, at=AT - waited_ms)
    async with asyncio.timeout(WITHIN_S):
        await world.run(request)
    turn, last = await ending(world, request)
    assert last["response"]["error"]["code"] == "turn_timeout"
    assert turn.closed.failure is not None
    assert f"{POLICY.background_timeout_s:g} seconds" in turn.closed.failure.message


async def test_its_time_runs_out_in_mid_answer(world: World) -> None:
    world.policy = replace(POLICY, background_timeout_s=0.2, turn_timeout_s=60)
    hold = Hold()
    world.backend.plays(*events_of(says("Hel", "lo"))[:5], hold)
    request = await world.request(background=True)
    async with asyncio.timeout(WITHIN_S):
        await world.run(request)
    assert hold.left
    turn, last = await ending(world, request)
    assert last["response"]["error"]["code"] == "turn_timeout"
    assert turn.output[0]["content"][0]["text"] == "Hel"


async def test_a_foreground_turn_has_its_own_time_however_long_it_waited(world: World) -> None:
    world.backend.plays(*events_of(says("Hi.")))
    request = await world.request(at=AT - 3_600_000)
    await world.run(request)
    assert (await world.closed(request)).closed.status == "completed"


@pytest.mark.parametrize("told", range(8))
async def test_another_owner_goes_on_and_it_leaves_the_queue_only_once(
    world: World, told: int
) -> None:
    hold = Hold()
    script = events_of(says("Hel", "lo"))
    world.backend.plays(*script[:told], hold)
    request = await world.request(background=True)
    await lose_owner_at(world, request, hold)
    seen = await world.frames(request)
    world.backend.plays(*script)
    await world.run(request, attempt=2, claim="second")
    turn, last = await ending(world, request)
    assert (await world.frames(request))[: len(seen)] == seen
    assert (turn.closed.status, last["type"]) == ("completed", "response.completed")
    kinds = await world.kinds(request)
    assert kinds == ["requested", "started", "taken_over", "closed"]


async def test_an_owner_that_was_lost_in_the_queue_leaves_a_turn_that_has_not_begun(
    world: World,
) -> None:
    request = await world.request(background=True)
    world.backend.plays(*events_of(says("Hi.")))
    await world.run(request, attempt=2, claim="second")
    assert await world.kinds(request) == ["requested", "taken_over", "started", "closed"]
    await ending(world, request)


async def test_another_owner_does_not_give_it_more_time(world: World) -> None:
    hold = Hold()
    world.backend.plays(*events_of(says("Hel", "lo"))[:5], hold)
    late = int(POLICY.background_timeout_s * 1000) - 1500
    request = await world.request(background=True, at=AT - late)
    await lose_owner_at(world, request, hold)
    world.backend.plays(before=Hold())
    async with asyncio.timeout(WITHIN_S):
        await world.run(request, attempt=2, claim="second")
    turn, last = await ending(world, request)
    assert last["response"]["error"]["code"] == "turn_timeout"
    assert turn.output[0]["status"] == "incomplete"


async def test_a_wish_to_cancel_is_heard_in_the_queue_and_in_mid_answer(world: World) -> None:
    hold = Hold()
    world.backend.plays(*events_of(says("Hel", "lo"))[:5], hold)
    orchestrator = world.orchestrator()
    waiting = await world.request(background=True, response_id=OTHER_ID)
    await world.log.append(cancel_requested(response_id=OTHER_ID, reason="asked"), None)
    await world.run(waiting, attempt=2)
    turn, last = await ending(world, waiting)
    assert (turn.closed.status, turn.output) == ("cancelled", [])
    assert last["response"]["status"] == "cancelled"
    running = await world.request(background=True)
    driving = asyncio.create_task(orchestrator.requested(await world.delivery(running)))
    async with asyncio.timeout(WITHIN_S):
        await hold.reached.wait()
        await world.log.append(cancel_requested(reason="asked"), None)
        orchestrator.cancel_requested(f"turn.acme.{RESPONSE_ID}.cancel_requested")
        await driving
    turn, last = await ending(world, running)
    assert (turn.closed.status, turn.output[0]["status"]) == ("cancelled", "incomplete")


async def test_what_a_gateway_closed_in_the_queue_is_told_by_whoever_takes_it(
    world: World,
) -> None:
    request = await world.request(background=True)
    await world.log.append(closed(status="cancelled", output=[]), None)
    await world.run(request, attempt=2)
    turn, last = await ending(world, request)
    assert (turn.closed.status, last["response"]["status"]) == ("cancelled", "cancelled")
    assert world.backend.bodies == []


async def test_a_turn_that_left_the_queue_does_not_leave_it_again(world: World) -> None:
    world.backend.plays(*events_of(says("Hi.")))
    request = await world.request(background=True)
    await world.log.append(started(), None)
    await world.run(request, attempt=2, claim="second")
    assert (await world.kinds(request)).count("started") == 1
