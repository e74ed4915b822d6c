"""A turn that found no place in time: it ends as refused, unless it may have begun."""

import asyncio
import uuid
from collections import Counter

import pytest
from msgspec.structs import replace
from nats.aio.msg import Msg

from scripted_backend import says
from turnwire_chassis.broker import connect
from turnwire_chassis.jetstream.inbox import Inbox
from turnwire_chassis.jetstream.topology import declare
from turnwire_contracts.events import Requested
from turnwire_contracts.ids import ResponseId, TenantId
from turnwire_contracts.subjects import TURNS_STREAM
from turnwire_testing.inboxes import HEARTBEAT_S, consumer_of
from turnwire_testing.orchestration import Hold, World
from turnwire_testing.samples import events_of
from turnwire_testing.waiting import eventually

PLACES = 2
TURNS = 5


@pytest.fixture
async def world() -> World:
    return World()


async def run_overdue(world: World, request: Requested, attempt: int = 1) -> None:
    delivery = replace(await world.delivery(request, attempt), overdue=True)
    await world.orchestrator().requested(delivery)


async def test_it_is_refused_with_503_and_the_backend_is_not_asked(world: World) -> None:
    request = await world.request()
    await run_overdue(world, request)
    status, body = world.answer
    assert (status, body["error"]["code"]) == (503, "overloaded")
    assert "within 10 seconds" in body["error"]["message"]
    turn = await world.closed(request)
    assert turn.closed.failure is not None
    assert turn.closed.failure.retry_after_s == 2
    assert world.backend.bodies == []
    assert await world.kinds(request) == ["requested", "closed"]


async def test_a_stream_that_has_not_begun_is_refused_alike(world: World) -> None:
    request = await world.request(stream=True)
    await run_overdue(world, request)
    assert (await world.closed(request)).closed.status == "failed"
    (message,) = await world.output.read(request.turn_key)
    assert (message.kind, message.first) == ("A", 503)


async def test_one_that_was_given_out_before_goes_on(world: World) -> None:
    world.backend.plays(*events_of(says("Hi.")))
    request = await world.request()
    await run_overdue(world, request, attempt=2)
    assert (await world.closed(request)).closed.status == "completed"


async def test_one_that_a_broker_may_have_given_out_before_it_was_killed_goes_on(
    world: World,
) -> None:
    world.backend.plays(*events_of(says("Hi.")))
    request = await world.request()
    delivery = replace(await world.delivery(request), overdue=True)
    orchestrator = world.orchestrator()
    orchestrator.distrust(None)
    await orchestrator.requested(delivery)
    assert (await world.closed(request)).closed.status == "completed"


async def test_a_backlog_that_may_not_be_refused_waits_for_places(
    world: World, nats_url: str
) -> None:
    """An orchestrator that starts beside an old backlog trusts none of it to be new."""
    client = await connect(nats_url, "test")
    jetstream = await declare(client, 1)
    tenant = TenantId(f"t{uuid.uuid4().hex}")
    hold, seen = Hold(), Counter[str]()

    async def on_ack(message: Msg) -> None:
        seen[message.subject] += message.data == b"+WPI"

    await client.subscribe(f"$JS.ACK.{TURNS_STREAM}.{tenant}.>", cb=on_ack)
    requests: list[Requested] = []
    for number in range(TURNS):
        world.backend.plays(*events_of(says("Hi.")), before=hold)
        request = await world.request(tenant=tenant, response_id=ResponseId(f"resp_{number}"))
        delivery = await world.delivery(request)
        await jetstream.publish(delivery.subject, delivery.body)
        requests.append(request)
    orchestrator = world.orchestrator()
    orchestrator.distrust(10**12)
    inbox = Inbox(client, jetstream, [consumer_of(tenant, tenant)], TURNS_STREAM)
    running = asyncio.create_task(
        inbox.run(orchestrator.requested, PLACES, HEARTBEAT_S, 0.0, orchestrator.is_first)
    )

    async def all_are_kept_alive() -> bool:
        return sum(times >= 2 for times in seen.values()) == TURNS

    await eventually(all_are_kept_alive)
    assert len(world.backend.bodies) == PLACES
    hold.release()
    for request in requests:

        async def is_closed(request: Requested = request) -> bool:
            return (await world.kinds(request))[-1] == "closed"

        await eventually(is_closed)
        assert (await world.closed(request)).closed.status == "completed"
    running.cancel()
    await asyncio.wait({running})
    await jetstream.delete_consumer(TURNS_STREAM, str(tenant))
    await client.close()
