"""A connection to a real broker whose streams are declared."""

from collections.abc import AsyncGenerator

import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from turnwire_chassis.broker import connect
from turnwire_chassis.jetstream.topology import declare


@pytest.fixture
async def client(nats_url: str) -> AsyncGenerator[Client]:
    connected = await connect(nats_url, "test")
    yield connected
    await connected.close()


@pytest.fixture
async def jetstream(client: Client) -> JetStreamContext:
    return await declare(client, 1)
