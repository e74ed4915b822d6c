"""Tool-runners die while they deliver: nothing is lost, and what comes twice has one id."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from turnwire_chassis.jetstream.topology import declare
from turnwire_chassis.jetstream.webhook_queue import WEBHOOK_LEASE_S
from turnwire_contracts import subjects
from turnwire_testing.service_processes import StartService, service_processes
from turnwire_testing.waiting import eventually
from turnwire_testing.webhook_receivers import Posted, receiving
from turnwire_testing.webhook_world import SEAL_KEY, WebhookWorld

pytestmark = pytest.mark.process

EVENTS = 120
ROUNDS = 3
WITHIN_S = 60.0 + WEBHOOK_LEASE_S


@pytest.fixture
async def start_deliverer(tmp_path: Path) -> AsyncGenerator[StartService]:
    """Start tool-runners that send to this machine, three events of a host at a time."""
    settings = {
        "TURNWIRE_ALLOW_PRIVATE_URLS": "loopback",
        "TURNWIRE_SEAL_KEY": SEAL_KEY,
        "TURNWIRE_MAX_WEBHOOKS_PER_HOST": "3",
    }
    async with service_processes("turnwire_tool_runner", tmp_path, **settings) as start:
        yield start


async def test_no_event_is_lost_however_often_who_delivers_is_killed(
    world: WebhookWorld, start_deliverer: StartService
) -> None:
    hold, struck = asyncio.Event(), 0

    async def answering(_: Posted) -> str:
        # Half of what comes before a kill is answered, the other half is cut off unanswered.
        if len(receiver.posted) % 2:
            await hold.wait()
        return "200 OK"

    async with receiving(answering) as receiver:
        told = await world.tell(await world.key(receiver.url), EVENTS)
        for _ in range(ROUNDS):
            seen = len(receiver.posted)
            deliverer = await start_deliverer(world.url)
            await eventually(lambda seen=seen: _more(receiver.posted, seen + 4), WITHIN_S)
            await deliverer.kill()
            struck += 1
        hold.set()
        await (await start_deliverer(world.url)).becomes(200)
        await receiver.has(*told, within_s=WITHIN_S)
        await world.none_waits(WITHIN_S)

    assert struck == ROUNDS
    came = [each.event_id for each in receiver.posted]
    assert {*came} == {*told}
    assert len(came) > len(told), "nothing came twice: no delivery was struck"
    bodies = {each.event_id: each.body for each in receiver.posted}
    assert all(bodies[each.event_id] == each.body for each in receiver.posted)
    assert await world.letters() == []


async def test_who_stops_properly_leaves_nothing_to_wait_for(
    world: WebhookWorld, start_deliverer: StartService
) -> None:
    async with receiving() as receiver:
        key = await world.key(receiver.url)
        leaving = await start_deliverer(world.url)
        await leaving.becomes(200)
        (first,) = await world.tell(key)
        await receiver.has(first)
        await leaving.stop()
        await (await start_deliverer(world.url)).becomes(200)
        (second,) = await world.tell(key)
        await receiver.has(second, within_s=WEBHOOK_LEASE_S)
    assert [each.event_id for each in receiver.posted] == [first, second]


async def _more(posted: list[Posted], number: int) -> bool:
    return len(posted) >= number


async def test_who_comes_before_the_streams_waits_for_them(
    world: WebhookWorld, start_deliverer: StartService
) -> None:
    await world.jetstream.delete_stream(subjects.WEBHOOKS_STREAM)
    await (await start_deliverer(world.url)).becomes(200)
    await declare(world.client, replicas=1)
    async with receiving() as receiver:
        (told,) = await world.tell(await world.key(receiver.url))
        await receiver.has(told, within_s=WITHIN_S)
