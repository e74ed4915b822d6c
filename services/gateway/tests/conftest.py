"""What tests of the gateway stand on; `nats_url` is the plugin's."""

from collections.abc import AsyncGenerator

import nats
import pytest
from nats.aio.client import Client

from turnwire_testing.gateway import Api


@pytest.fixture
async def client(nats_url: str) -> AsyncGenerator[Client]:
    connected = await nats.connect(nats_url)
    yield connected
    await connected.close()


@pytest.fixture
async def api(client: Client) -> Api:
    """A gateway with a store that answers from the gateway's own log."""
    return await Api(client).with_store()
