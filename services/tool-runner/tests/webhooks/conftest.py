"""A broker on which nothing is on its way to a webhook."""

import pytest
from nats.aio.client import Client

from turnwire_chassis.administration.dead_letters import read_letters
from turnwire_chassis.jetstream.topology import declare
from turnwire_contracts import subjects
from turnwire_testing.webhook_world import WebhookWorld


@pytest.fixture
async def world(nats_url: str, client: Client) -> WebhookWorld:
    """Give the broker, with the streams declared."""
    jetstream = await declare(client, replicas=1)
    await jetstream.purge_stream(subjects.WEBHOOKS_STREAM)
    letters = await read_letters(client)
    return WebhookWorld(nats_url, client, jetstream, letters_before=len(letters))
