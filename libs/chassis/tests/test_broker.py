"""The connection to the broker, questions over it, and the streams on it."""

import asyncio
from pathlib import Path

import pytest
import uvloop
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, StorageType

from turnwire_chassis.broker import connect, disconnect, on_loss
from turnwire_chassis.jetstream.topology import declare, heartbeat_s, turn_consumer
from turnwire_chassis.request_reply.asking import UnansweredQueryError, ask, ask_patiently
from turnwire_contracts import subjects
from turnwire_contracts.queries import AskForHealth, Query, SystemHealth
from turnwire_contracts.queues import QUEUES, Queue
from turnwire_testing.brokers import KillableBroker
from turnwire_testing.examples import fresh_id
from turnwire_testing.tcp_proxy import proxy_to
from turnwire_testing.waiting import eventually

WITHIN_S = 30.0


@pytest.fixture
def query() -> Query[AskForHealth, SystemHealth]:
    return Query(f"test.{fresh_id()}", "queue", AskForHealth, SystemHealth)


async def test_a_question_that_nobody_listens_for_fails_at_once(
    client: Client, query: Query[AskForHealth, SystemHealth]
) -> None:
    async with asyncio.timeout(WITHIN_S):
        with pytest.raises(UnansweredQueryError):
            await ask(client, query, AskForHealth(), timeout_s=600)


async def test_a_question_that_is_not_answered_in_time_fails(
    client: Client, query: Query[AskForHealth, SystemHealth]
) -> None:
    asked = await client.subscribe(query.subject)
    with pytest.raises(UnansweredQueryError):
        await ask(client, query, AskForHealth(), timeout_s=0.05)
    assert query.decode_question((await asked.next_msg()).data) == AskForHealth()


async def test_one_member_of_the_queue_answers_a_question(
    client: Client, query: Query[AskForHealth, SystemHealth]
) -> None:
    async def on_question(message: Msg) -> None:
        asked.append(message)
        await message.respond(query.encode_answer(SystemHealth(ok=True, detail="fine")))

    asked: list[Msg] = []
    for _ in range(2):
        await client.subscribe(query.subject, query.queue, cb=on_question)
    await client.flush()
    answer = await ask(client, query, AskForHealth(), timeout_s=WITHIN_S)
    assert answer == SystemHealth(ok=True, detail="fine")
    assert len(asked) == 1


async def test_a_question_whose_service_died_with_it_is_answered_by_the_next(
    client: Client, query: Query[AskForHealth, SystemHealth]
) -> None:
    lost = await client.subscribe(query.subject, query.queue)
    asking = asyncio.create_task(ask_patiently(client, query, AskForHealth(), timeout_s=1.0))
    await lost.next_msg()
    await lost.unsubscribe()
    await _answers(client, query, "the next")
    async with asyncio.timeout(WITHIN_S):
        assert (await asking).detail == "the next"


async def test_an_answer_that_is_late_still_counts_although_it_was_asked_for_again(
    client: Client, query: Query[AskForHealth, SystemHealth]
) -> None:
    asked = await client.subscribe(query.subject, query.queue)
    asking = asyncio.create_task(ask_patiently(client, query, AskForHealth(), timeout_s=2.0))
    first, _ = await asked.next_msg(), await asked.next_msg()
    await first.respond(query.encode_answer(SystemHealth(ok=True, detail="late")))
    async with asyncio.timeout(WITHIN_S):
        assert (await asking).detail == "late"


async def test_a_question_is_asked_until_a_service_listens(
    client: Client, query: Query[AskForHealth, SystemHealth]
) -> None:
    asking = asyncio.create_task(ask_patiently(client, query, AskForHealth(), timeout_s=WITHIN_S))
    for _ in range(2):
        # What was asked before has been refused when the broker answers this.
        await client.flush()
    await _answers(client, query, "back")
    async with asyncio.timeout(WITHIN_S):
        assert (await asking).detail == "back"


@pytest.mark.parametrize("listens", [True, False])
async def test_a_patient_question_without_an_answer_fails(
    client: Client, query: Query[AskForHealth, SystemHealth], *, listens: bool
) -> None:
    if listens:
        await client.subscribe(query.subject)
    async with asyncio.timeout(WITHIN_S):
        with pytest.raises(UnansweredQueryError):
            await ask_patiently(client, query, AskForHealth(), timeout_s=0.3)


async def _answers(client: Client, query: Query[AskForHealth, SystemHealth], detail: str) -> None:
    async def on_question(message: Msg) -> None:
        await message.respond(query.encode_answer(SystemHealth(ok=True, detail=detail)))

    await client.subscribe(query.subject, query.queue, cb=on_question)
    await client.flush()


async def test_a_service_waits_for_a_broker_that_starts_later(broker: KillableBroker) -> None:
    connecting = asyncio.create_task(connect(broker.url, "early"))
    await broker.start()
    async with asyncio.timeout(WITHIN_S):
        client = await connecting
    assert client.is_connected
    await client.close()


def test_a_service_whose_broker_is_gone_ends_without_an_error(tmp_path: Path) -> None:
    async def connect_and_end() -> None:
        broker = KillableBroker(tmp_path)
        await broker.start()
        client = await connect(broker.url, "ends")
        await broker.kill()

        async def is_lost() -> bool:
            return not client.is_connected

        await eventually(is_lost)
        await client.publish("late", b"nobody takes this")
        await disconnect(client)
        assert client.is_closed

    # As services run: asyncio's own loop only warns.
    uvloop.run(connect_and_end())


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


@pytest.mark.parametrize("queue", QUEUES)
def test_a_consumer_of_turns_sets_every_limit_but_that_of_deliveries(queue: Queue) -> None:
    consumer = turn_consumer(queue, 5.0)
    # An election delivers again what its owner works on: owners are counted, not deliveries.
    assert consumer.max_deliver == -1
    assert (consumer.max_ack_pending or 0) > 0
    assert consumer.ack_wait == 5.0


@pytest.mark.parametrize("lease_s", [1.0, 5.0, 60.0])
def test_an_owner_speaks_three_times_before_its_lease_is_over(lease_s: float) -> None:
    assert 0 < 3 * heartbeat_s(lease_s) < lease_s


LARGE = bytes(512 * 1024)


async def test_a_connection_that_the_network_has_lost_is_made_anew(broker: KillableBroker) -> None:
    await broker.start()
    found = asyncio.Event()

    async def reconnected() -> None:
        found.set()

    async with proxy_to(broker.port) as network:
        client = await connect(f"nats://127.0.0.1:{network.port}", "test", reconnected)
        lost = 0

        def on_lost() -> None:
            nonlocal lost
            lost += 1
            assert not found.is_set()

        on_loss(client, on_lost, silence_s=1.0)
        network.lose()
        network.heal()
        # More than the kernel takes: nothing may wait until it is sent.
        for _ in range(32):
            await client.publish("test.large", LARGE)
        async with asyncio.timeout(WITHIN_S):
            await found.wait()
            await client.flush()
        assert lost == 1
        await client.close()


async def test_who_stops_waiting_for_the_broker_leaves_the_connection_as_it_was(
    broker: KillableBroker,
) -> None:
    await broker.start()
    async with proxy_to(broker.port) as network:
        client = await connect(f"nats://127.0.0.1:{network.port}", "test")
        heard = await client.subscribe("test.word")
        network.hold()
        with pytest.raises(NatsTimeoutError):
            await client.flush(timeout=0.1)  # pyright: ignore[reportArgumentType] -- fractions work
        network.heal()
        async with asyncio.timeout(WITHIN_S):
            await client.flush()
            await client.publish("test.word", b"still here")
            assert (await heard.next_msg(timeout=WITHIN_S)).data == b"still here"
        assert client.stats["reconnects"] == 0
        await client.close()
