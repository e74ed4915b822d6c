"""What a consumer is asked for, and how urgently."""

from typing import Any, cast

import orjson
import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from turnwire_chassis.jetstream.broker_clock import BrokerClock
from turnwire_chassis.jetstream.pull import AHEAD, FOR_FREE_PLACES, Pull
from turnwire_contracts.subjects import TURNS_STREAM
from turnwire_testing.inboxes import consumer_of


class RecordingClient:
    """A connection that keeps what is published."""

    def __init__(self) -> None:
        """Nothing was published."""
        self.is_connected = True
        self.questions: list[tuple[int, int]] = []
        """By question: its priority, and how many messages it asks for."""
        self._inboxes = 0

    def new_inbox(self) -> str:
        """See `Client.new_inbox`."""
        self._inboxes += 1
        return f"_INBOX.{self._inboxes}"

    async def publish(self, _: str, body: bytes, reply: str = "") -> None:
        """See `Client.publish`."""
        assert reply
        question: dict[str, Any] = orjson.loads(body)
        self.questions.append((question["priority"], question["batch"]))


@pytest.fixture
def broker() -> RecordingClient:
    return RecordingClient()


@pytest.fixture
def pull(broker: RecordingClient) -> Pull:
    consumer = consumer_of("t", "t")
    return Pull(
        cast("Client", broker),
        cast("JetStreamContext", None),
        consumer,
        TURNS_STREAM,
        BrokerClock(),
    )


async def test_no_more_is_asked_for_than_is_wanting(broker: RecordingClient, pull: Pull) -> None:
    await pull.ask(4, FOR_FREE_PLACES)
    await pull.ask(4, FOR_FREE_PLACES)
    await pull.ask(6, FOR_FREE_PLACES)
    assert broker.questions == [(FOR_FREE_PLACES, 4), (FOR_FREE_PLACES, 2)]


async def test_a_free_place_asks_though_something_was_asked_ahead(
    broker: RecordingClient, pull: Pull
) -> None:
    await pull.ask(4, AHEAD)
    await pull.ask(3, FOR_FREE_PLACES)
    assert broker.questions == [(AHEAD, 4), (FOR_FREE_PLACES, 3)]


async def test_what_was_asked_for_free_places_counts_ahead(
    broker: RecordingClient, pull: Pull
) -> None:
    await pull.ask(3, FOR_FREE_PLACES)
    await pull.ask(4, AHEAD)
    assert broker.questions == [(FOR_FREE_PLACES, 3), (AHEAD, 1)]
