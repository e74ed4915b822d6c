"""The end of a metered turn is told to whoever counts, with its tokens once."""

import asyncio

import pytest

from scripted_backend import says
from turnwire_contracts.events import Failure
from turnwire_contracts.notices.turn_ended import TurnEnded
from turnwire_testing.orchestration import Hold, World
from turnwire_testing.samples import events_of

METERED = ["key:key_1", "tenant"]


@pytest.fixture
async def world() -> World:
    return World()


@pytest.mark.parametrize("store", [True, False])
async def test_a_turn_tells_its_tokens_when_it_has_ended(world: World, *, store: bool) -> None:
    request = await world.request(metered=METERED, store=store)
    world.backend.plays(*events_of(says("Hello.")))
    await world.run(request)
    _, answer = world.answer
    cost = answer["usage"]["total_tokens"]
    assert cost > 0
    assert world.usage_publisher.heard == [
        TurnEnded(request.tenant, request.response_id, METERED, cost)
    ]


async def test_a_turn_that_nobody_meters_tells_nothing(world: World) -> None:
    world.backend.plays(*events_of(says("Hello.")))
    await world.run(await world.request())
    assert world.usage_publisher.heard == []


async def test_a_turn_that_fails_tells_its_end_as_well(world: World) -> None:
    request = await world.request(metered=METERED)
    world.backend.plays(before=Failure(502, "server_error", "backend_unavailable", "Away."))
    await world.run(request)
    assert [each.tokens for each in world.usage_publisher.heard] == [0]


async def test_an_end_that_is_told_again_charges_nothing_again(world: World) -> None:
    request = await world.request(metered=METERED)
    world.backend.plays(*events_of(says("Hello.")))
    await world.run(request)
    await world.run(request, attempt=2, claim="second")
    assert [each.tokens > 0 for each in world.usage_publisher.heard] == [True, False]


async def test_a_turn_that_is_taken_over_is_charged_by_who_ends_it(world: World) -> None:
    request = await world.request(metered=METERED, background=True)
    hold = Hold()
    world.backend.plays(hold)
    driving = asyncio.create_task(world.run(request))
    await hold.reached.wait()
    driving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await driving
    assert world.usage_publisher.heard == []
    world.backend.plays(*events_of(says("Hello.")))
    await world.run(request, attempt=2, claim="second")
    assert [each.tokens > 0 for each in world.usage_publisher.heard] == [True]
