"""What survives a broker that is killed and started again."""

import asyncio
from pathlib import Path

import pytest

from turnwire_chassis.broker import connect
from turnwire_chassis.jetstream.delivery import Delivery
from turnwire_chassis.jetstream.event_log import JetStreamEventLog
from turnwire_chassis.jetstream.inbox import Inbox
from turnwire_chassis.jetstream.topology import declare
from turnwire_contracts.subjects import TURNS_STREAM
from turnwire_testing.brokers import KillableBroker
from turnwire_testing.examples import TENANT, fresh_id, requested, user
from turnwire_testing.inboxes import consumer_of
from turnwire_testing.waiting import eventually

WITHIN_S = 20.0


@pytest.fixture
async def broker(broker: KillableBroker) -> KillableBroker:
    await broker.start()
    return broker


async def test_the_inbox_works_on_after_the_broker_was_killed(broker: KillableBroker) -> None:
    back = asyncio.Event()

    async def on_reconnect() -> None:
        back.set()

    client = await connect(broker.url, "test", on_reconnect)
    jetstream = await declare(client, 1)
    log = JetStreamEventLog(client, jetstream)
    begun: asyncio.Queue[Delivery] = asyncio.Queue()
    may_finish = asyncio.Event()

    async def work(delivery: Delivery) -> None:
        begun.put_nowait(delivery)
        await may_finish.wait()

    inbox = Inbox(client, jetstream, [consumer_of(TENANT, "test", 2.0)], TURNS_STREAM)
    running = asyncio.create_task(inbox.run(work, places=1, heartbeat_s=0.5))
    first, second = fresh_id(), fresh_id()
    await log.append(requested(response_id=first), 0)

    async def all_done() -> bool:
        info = await jetstream.consumer_info(TURNS_STREAM, "test")
        return (info.num_pending, info.num_ack_pending) == (0, 0)

    async with asyncio.timeout(WITHIN_S):
        held = await begun.get()
        await broker.kill()
        await broker.start()
        await back.wait()
        await declare(client, 1)
        await inbox.redeclare()
        await log.append(requested(response_id=second), 0)
        may_finish.set()
        # The broker may give out again what it did not hear of while it was away; whoever is killed
        # right after a first delivery may not remember that it was one.
        while (delivery := await begun.get()).sequence == held.sequence:
            assert str(first) in delivery.subject
        assert str(second) in delivery.subject
        await eventually(all_done)
    running.cancel()
    await asyncio.wait({running})
    await client.close()


async def test_what_was_confirmed_survives_the_brokers_death(broker: KillableBroker) -> None:
    client = await connect(broker.url, "test")
    log = JetStreamEventLog(client, await declare(client, 1))
    names = [fresh_id() for _ in range(20)]
    for name in names:
        await log.append(requested(response_id=name), 0)
    await broker.kill()
    await client.close()
    await broker.start()
    again = await connect(broker.url, "test")
    reread = JetStreamEventLog(again, await declare(again, 1))
    for name in names:
        assert len(await reread.read(TENANT, name)) == 1
    await again.close()


async def test_what_was_erased_is_not_on_the_disk(broker: KillableBroker, tmp_path: Path) -> None:
    client = await connect(broker.url, "test")
    log = JetStreamEventLog(client, await declare(client, 1))
    name, secret = fresh_id(), b"a most secret question"

    async def on_disk() -> bool:
        return holds(tmp_path, secret)

    async def not_on_disk() -> bool:
        return not holds(tmp_path, secret)

    await log.append(requested(response_id=name, input=[user(secret.decode())]), 0)
    await eventually(on_disk)
    (recorded,) = await log.read(TENANT, name)
    await log.erase(recorded)
    await eventually(not_on_disk)
    await client.close()


def holds(folder: Path, secret: bytes) -> bool:
    """Tell whether any file of a stream has these bytes."""
    return any(secret in path.read_bytes() for path in folder.rglob("*.blk"))
