"""The streams and consumers: declared on a new broker, and on one from an earlier version."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from turnwire_chassis.broker import connect
from turnwire_chassis.jetstream import api
from turnwire_chassis.jetstream.event_log import JetStreamEventLog
from turnwire_chassis.jetstream.output_log import JetStreamOutputLog
from turnwire_chassis.jetstream.topology import (
    TURN_LEASE_S,
    declare,
    turn_consumer,
)
from turnwire_chassis.storage_space import MIB
from turnwire_contracts.queues import FOREGROUND, QUEUES
from turnwire_contracts.subjects import OUTPUT_STREAM, TURN_EVENTS, TURNS_STREAM
from turnwire_contracts.wire.frames import FrameMessage
from turnwire_testing.brokers import KillableBroker
from turnwire_testing.examples import (
    CONVERSATION_ID,
    RESPONSE_ID,
    TENANT,
    TURN,
    closed,
    conversation_created,
    fresh_id,
    requested,
)
from turnwire_testing.waiting import eventually

WITHIN_S = 10.0


@pytest.fixture
async def own_client(tmp_path: Path) -> AsyncGenerator[Client]:
    """A broker that no other test shares."""
    broker = KillableBroker(tmp_path)
    await broker.start()
    client = await connect(broker.url, "test")
    yield client
    await client.close()
    await broker.kill()


async def waiting_for(jetstream: JetStreamContext, consumer: str) -> int:
    """Count what waits for a consumer."""
    info = await jetstream.consumer_info(TURNS_STREAM, consumer)
    return info.num_pending or 0


async def test_a_stream_that_an_earlier_version_declared_takes_conversations_too(
    own_client: Client,
) -> None:
    jetstream = await declare(own_client, 1)
    today = (await jetstream.stream_info(TURNS_STREAM)).config
    today.subjects = [TURN_EVENTS]
    await jetstream.update_stream(today)
    log = JetStreamEventLog(own_client, jetstream)
    first = await log.append(requested(), 0)
    await declare(own_client, 1)
    second = await log.append(conversation_created(), 0)
    assert (first, second) == (1, 2)
    assert len(await log.read_conversation(TENANT, CONVERSATION_ID)) == 1


async def test_every_request_waits_in_one_queue_and_nothing_else_does(own_client: Client) -> None:
    jetstream = await declare(own_client, 1)
    for queue in QUEUES:
        await jetstream.add_consumer(TURNS_STREAM, turn_consumer(queue, TURN_LEASE_S))
    log = JetStreamEventLog(own_client, jetstream)
    for queue in QUEUES:
        lane = {"background": queue.background, "queue_level": queue.level}
        await log.append(requested(response_id=fresh_id(), **lane), 0)
    foreground = await log.append(requested(), 0)
    await log.append(closed(), foreground)
    await log.append(conversation_created(), 0)
    waiting = {queue: await waiting_for(jetstream, queue.consumer) for queue in QUEUES}
    assert waiting == {**dict.fromkeys(QUEUES, 1), FOREGROUND[0]: 2}


async def test_a_consumer_that_is_there_takes_another_lease_and_loses_no_place(
    own_client: Client,
) -> None:
    jetstream = await declare(own_client, 1)
    await jetstream.add_consumer(TURNS_STREAM, turn_consumer(FOREGROUND[0], TURN_LEASE_S))
    log = JetStreamEventLog(own_client, jetstream)
    await log.append(requested(), 0)
    answers = await own_client.subscribe(own_client.new_inbox())
    question = b'{"batch": 1, "group": "places", "priority": 0}'
    subject = api.next_messages(TURNS_STREAM, "orchestrator")
    await own_client.publish(subject, question, reply=answers.subject)
    await (await answers.next_msg(WITHIN_S)).ack_sync()
    await jetstream.add_consumer(TURNS_STREAM, turn_consumer(FOREGROUND[0], 2 * TURN_LEASE_S))
    info = await jetstream.consumer_info(TURNS_STREAM, "orchestrator")
    assert info.config.ack_wait == 2 * TURN_LEASE_S
    assert (info.num_pending, info.num_ack_pending) == (0, 0)


async def test_frames_of_a_tenant_are_kept_where_an_earlier_version_kept_those_of_all(
    own_client: Client,
) -> None:
    jetstream = await declare(own_client, 1)
    earlier = (await jetstream.stream_info(OUTPUT_STREAM)).config
    earlier.subjects = ["output.*"]
    await jetstream.update_stream(earlier)
    await jetstream.publish(f"output.{RESPONSE_ID}", b"F 1 0 1\nan old frame")
    await declare(own_client, 1)
    output = JetStreamOutputLog(own_client, jetstream)
    await output.publish(TURN, FrameMessage("F", 1, 0, 1, b"data: x\n\n"))

    async def is_kept() -> bool:
        return [message.body for message in await output.read(TURN)] == [b"data: x\n\n"]

    await eventually(is_kept)
    assert (await jetstream.stream_info(OUTPUT_STREAM)).state.messages == 2


async def test_how_much_is_kept_of_frames_is_told_and_changed(own_client: Client) -> None:
    for size in (2 * MIB, MIB):
        jetstream = await declare(own_client, 1, size)
        info = await jetstream.stream_info(OUTPUT_STREAM)
        assert info.config.max_bytes == size
