"""A connection to a real broker whose streams are declared, and both kinds of event log."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from turnwire_chassis.broker import connect
from turnwire_chassis.event_log import EventLog
from turnwire_chassis.jetstream.event_log import JetStreamEventLog
from turnwire_chassis.jetstream.topology import declare
from turnwire_testing.brokers import KillableBroker
from turnwire_testing.memory_event_log import MemoryEventLog


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncGenerator[KillableBroker]:
    """A broker of the test's own, which is not started yet."""
    killable = KillableBroker(tmp_path)
    yield killable
    await killable.kill()


@pytest.fixture
async def client(nats_url: str) -> AsyncGenerator[Client]:
    connected = await connect(nats_url, "test")
    yield connected
    await connected.close()


@pytest.fixture
async def jetstream(client: Client) -> JetStreamContext:
    return await declare(client, 1)


@pytest.fixture(params=["memory", "jetstream"])
def log(request: pytest.FixtureRequest) -> EventLog:
    if request.param == "memory":
        return MemoryEventLog()
    return request.getfixturevalue("jetstream_log")


@pytest.fixture
async def jetstream_log(client: Client, jetstream: JetStreamContext) -> JetStreamEventLog:
    return JetStreamEventLog(client, jetstream)
