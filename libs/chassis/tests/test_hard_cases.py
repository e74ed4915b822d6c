"""Hard cases that were faults once: what they taught stays true."""

import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from turnwire_chassis.event_log import TooLargeError
from turnwire_chassis.jetstream.event_log import JetStreamEventLog
from turnwire_contracts import codec
from turnwire_testing.examples import fresh_id, requested, user


async def test_an_event_that_is_too_large_with_its_fence_is_refused(
    client: Client, jetstream: JetStreamContext
) -> None:
    name = fresh_id()
    room = client.max_payload - len(codec.encode(requested(response_id=name, input=[user("")])))
    event = requested(response_id=name, input=[user("x" * (room - 10))])
    with pytest.raises(TooLargeError):
        await JetStreamEventLog(client, jetstream).append(event, 0)
