"""The end of a turn is handed to its webhook before the turn is confirmed, though owners die."""

import pytest

from scripted_backend import says
from turnwire_chassis.event_log import LogUnavailableError
from turnwire_chassis.jetstream.delivery import OwnershipLostError
from turnwire_contracts.events import Closed, Failure
from turnwire_contracts.webhooks.subscription import WEBHOOK_EVENT_TYPES, WebhookSubscription
from turnwire_testing.examples import closed
from turnwire_testing.orchestration import World
from turnwire_testing.samples import events_of

WEBHOOK = WebhookSubscription("key_1", [*WEBHOOK_EVENT_TYPES])


@pytest.fixture
async def world() -> World:
    return World()


@pytest.mark.parametrize("changes", [{}, {"store": False}, {"stream": True}, {"background": True}])
async def test_the_end_of_a_turn_is_handed_over(world: World, changes: dict[str, bool]) -> None:
    request = await world.request(webhook=WEBHOOK, **changes)
    world.backend.plays(*events_of(says("Hello.")))
    await world.run(request)
    (told,) = world.webhooks.kept
    assert (told.type, told.response_id) == ("response.completed", request.response_id)
    recorded = await world.log.read(request.tenant, request.response_id)
    assert [told.closed] == [each.sequence for each in recorded if isinstance(each.event, Closed)]


async def test_a_turn_that_fails_says_so(world: World) -> None:
    request = await world.request(webhook=WEBHOOK)
    world.backend.plays(before=Failure(502, "server_error", "backend_unavailable", "Away."))
    await world.run(request)
    assert [each.type for each in world.webhooks.kept] == ["response.failed"]


async def test_a_turn_without_a_webhook_hands_nothing_over(world: World) -> None:
    world.backend.plays(*events_of(says("Hello.")))
    await world.run(await world.request())
    assert world.webhooks.kept == []


@pytest.mark.parametrize("store", [True, False])
async def test_an_end_that_could_not_be_handed_over_is_by_the_next_owner(
    world: World, *, store: bool
) -> None:
    request = await world.request(webhook=WEBHOOK, store=store)
    world.backend.plays(*events_of(says("Hello.")))
    world.webhooks.away = True
    with pytest.raises(LogUnavailableError):
        await world.run(request)
    world.webhooks.away = False
    await world.run(request, attempt=2, claim="second")
    assert [each.type for each in world.webhooks.kept] == ["response.completed"]


async def test_an_end_that_is_told_again_is_the_same_event(world: World) -> None:
    request = await world.request(webhook=WEBHOOK)
    world.backend.plays(*events_of(says("Hello.")))
    await world.run(request)
    await world.run(request, attempt=2, claim="second")
    first, again = world.webhooks.kept
    assert first == again


async def test_the_end_of_a_turn_that_a_gateway_cancelled_in_its_queue_is_handed_over(
    world: World,
) -> None:
    request = await world.request(webhook=WEBHOOK, background=True)
    key = {"tenant": request.tenant, "response_id": request.response_id}
    await world.log.append(closed(**key, status="cancelled"), None)
    with pytest.raises(OwnershipLostError):
        await world.run(request)
    await world.run(request, attempt=2, claim="second")
    assert [each.type for each in world.webhooks.kept] == ["response.cancelled"]
