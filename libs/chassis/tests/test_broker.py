"""The connection to the broker, questions over it, and the streams on it."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, StorageType

from turnwire_chassis.broker import NobodyAnswersError, ask, connect
from turnwire_chassis.jetstream.topology import declare, orchestrator_consumer
from turnwire_contracts import subjects
from turnwire_contracts.queries import AskForHealth, Health, Query
from turnwire_testing.brokers import KillableBroker
from turnwire_testing.examples import fresh_id

WITHIN_S = 5.0


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncGenerator[KillableBroker]:
    killable = KillableBroker(tmp_path)
    yield killable
    await killable.kill()


@pytest.fixture
def query() -> Query[AskForHealth, Health]:
    return Query(f"test.{fresh_id()}", "queue", AskForHealth, Health)


async def test_a_question_that_nobody_listens_for_fails_at_once(
    client: Client, query: Query[AskForHealth, Health]
) -> None:
    async with asyncio.timeout(WITHIN_S):
        with pytest.raises(NobodyAnswersError):
            await ask(client, query, AskForHealth(), timeout_s=600)


async def test_a_question_that_is_not_answered_in_time_fails(
    client: Client, query: Query[AskForHealth, Health]
) -> None:
    asked = await client.subscribe(query.subject)
    with pytest.raises(NobodyAnswersError):
        await ask(client, query, AskForHealth(), timeout_s=0.05)
    assert query.asked((await asked.next_msg()).data) == AskForHealth()


async def test_one_member_of_the_queue_answers_a_question(
    client: Client, query: Query[AskForHealth, Health]
) -> None:
    async def on_question(message: Msg) -> None:
        asked.append(message)
        await message.respond(query.answer(Health(ok=True, detail="fine")))

    asked: list[Msg] = []
    for _ in range(2):
        await client.subscribe(query.subject, query.queue, cb=on_question)
    await client.flush()
    answer = await ask(client, query, AskForHealth(), timeout_s=WITHIN_S)
    assert answer == Health(ok=True, detail="fine")
    assert len(asked) == 1


async def test_a_service_waits_for_a_broker_that_starts_later(broker: KillableBroker) -> None:
    connecting = asyncio.create_task(connect(broker.url, "early"))
    await broker.start()
    async with asyncio.timeout(WITHIN_S):
        client = await connecting
    assert client.is_connected
    await client.close()


async def test_a_service_comes_back_to_a_broker_that_restarted(broker: KillableBroker) -> None:
    back = asyncio.Event()

    async def on_reconnect() -> None:
        back.set()

    await broker.start()
    client = await connect(broker.url, "patient", on_reconnect)
    await declare(client, 1)
    await broker.kill()
    await broker.start()
    async with asyncio.timeout(WITHIN_S):
        await back.wait()
        await declare(client, 1)
        await client.flush()
    await client.close()


async def test_declaring_again_keeps_what_the_streams_hold(
    client: Client, jetstream: JetStreamContext
) -> None:
    ack = await jetstream.publish(f"{subjects.DEAD.removesuffix('>')}test.{fresh_id()}", b"kept")
    again = await declare(client, 1)
    message = await again.get_msg(subjects.DEAD_STREAM, ack.seq)
    assert message.data == b"kept"


async def test_the_log_is_on_disk_and_refuses_when_it_is_full(jetstream: JetStreamContext) -> None:
    turns = (await jetstream.stream_info(subjects.TURNS_STREAM)).config
    assert (turns.storage, turns.discard) == (StorageType.FILE, DiscardPolicy.NEW)
    assert turns.allow_direct


async def test_frames_are_in_memory_bounded_and_drop_the_oldest(
    jetstream: JetStreamContext,
) -> None:
    output = (await jetstream.stream_info(subjects.OUTPUT_STREAM)).config
    assert (output.storage, output.discard) == (StorageType.MEMORY, DiscardPolicy.OLD)
    assert output.allow_direct
    assert (output.max_bytes or 0) > 0
    assert (output.max_age or 0) > 0


def test_the_orchestrators_consumer_sets_every_limit() -> None:
    consumer = orchestrator_consumer()
    assert (consumer.max_deliver or 0) > 1
    assert (consumer.max_ack_pending or 0) > 0
    assert (consumer.ack_wait or 0) > 0
