"""The streams and consumers: declared on a new broker, and on one from an earlier version."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from turnwire_chassis.broker import connect
from turnwire_chassis.jetstream.event_log import JetStreamEventLog
from turnwire_chassis.jetstream.output_log import JetStreamOutputLog
from turnwire_chassis.jetstream.topology import (
    background_consumer,
    declare,
    orchestrator_consumer,
)
from turnwire_contracts.subjects import OUTPUT_STREAM, TURN_EVENTS, TURNS_STREAM
from turnwire_contracts.wire.frames import FrameMessage
from turnwire_testing.brokers import KillableBroker
from turnwire_testing.examples import (
    CONVERSATION_ID,
    OTHER_ID,
    RESPONSE_ID,
    TENANT,
    TURN,
    closed,
    conversation_created,
    requested,
    started,
)


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


async def test_what_runs_in_the_background_has_a_queue_of_its_own(own_client: Client) -> None:
    jetstream = await declare(own_client, 1)
    for consumer in (orchestrator_consumer(), background_consumer()):
        await jetstream.add_consumer(TURNS_STREAM, consumer)
    log = JetStreamEventLog(own_client, jetstream)
    foreground = await log.append(requested(), 0)
    background = await log.append(requested(response_id=OTHER_ID, background=True), 0)
    await log.append(closed(), foreground)
    await log.append(started(response_id=OTHER_ID), background)
    await log.append(conversation_created(), 0)
    assert await waiting_for(jetstream, "orchestrator") == 1
    assert await waiting_for(jetstream, "orchestrator-background") == 1


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
    await own_client.flush()
    assert [message.body for message in await output.read(TURN)] == [b"data: x\n\n"]
    assert (await jetstream.stream_info(OUTPUT_STREAM)).state.messages == 2
