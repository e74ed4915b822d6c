"""One consumer that is pulled from: how many messages were asked for, and what comes of it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import msgspec
import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig

from turnwire_chassis.jetstream import api
from turnwire_chassis.jetstream.broker_clock import BrokerClock
from turnwire_chassis.jetstream.topology import (
    PRIORITY_GROUP,
    PrioritizedConsumer,
    declare_consumer,
)

# Shorter than a lost owner's lease: the pulls of a process that hangs with its connection open are
# gone before its turns are given out again, or they would be given to it once more.
_EXPIRES_S = 2.0
_EXPIRES_OF_LEASE = 0.4
_LOST_AFTER_S = _EXPIRES_S + 2.0
_EXPIRED = "408"
_INFO_WITHIN_S = 5.0
_BAD_REQUEST = "400"

FOR_FREE_PLACES = 0
AHEAD = 1
"""Only served while no process has a free place."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What the broker keeps for a consumer, of all who pull from it."""

    waiting: int
    """Messages that are not given out."""
    unconfirmed: int


class _ConsumerInfo(msgspec.Struct):
    """The broker's answer; one that is a refusal has none of it."""

    ts: str
    num_pending: int
    num_ack_pending: int


@dataclass(slots=True)
class _Outstanding:
    """What was asked for with one priority, and where it comes."""

    reply: str
    number: int = 0
    """How many messages may still come of it."""
    at: float = 0.0
    """When something was last asked or came."""


class Pull:
    """Asks one consumer for messages, again and again."""

    def __init__(
        self,
        client: Client,
        jetstream: JetStreamContext,
        consumer: ConsumerConfig,
        stream: str,
        clock: BrokerClock,
    ) -> None:
        """Nothing is asked for before `open`. `clock` hears the broker's time in its answers."""
        self._client = client
        self._jetstream = jetstream
        self._consumer = consumer
        self._stream = stream
        self._clock = clock
        self._name = consumer.durable_name or ""
        lease_s = consumer.ack_wait or _EXPIRES_S / _EXPIRES_OF_LEASE
        self._expires_s = min(_EXPIRES_S, lease_s * _EXPIRES_OF_LEASE)
        # One for each priority, so that what comes says which of the two it is an answer to.
        self._outstanding = {
            each: _Outstanding(client.new_inbox()) for each in (FOR_FREE_PLACES, AHEAD)
        }
        self._subscriptions: list[Subscription] = []
        self._misunderstood = False
        self.held = 0
        """How many came and wait for a place."""
        self.started = 0
        """How many have had a place."""
        self._backlog = Backlog(0, 0)

    async def open(
        self,
        on_message: Callable[[Msg], Awaitable[None]],
        on_expired: Callable[[], Awaitable[None]],
    ) -> None:
        """Listen to what comes; `on_expired`: nothing, for as long as was asked."""

        async def take(outstanding: _Outstanding, message: Msg) -> None:
            status = (message.headers or {}).get("Status") if message.headers else None
            if status is None:
                outstanding.number = max(0, outstanding.number - 1)
                outstanding.at = asyncio.get_running_loop().time()
                await on_message(message)
                return
            left = (message.headers or {}).get("Nats-Pending-Messages")
            outstanding.number = max(0, outstanding.number - int(left)) if left is not None else 0
            self._misunderstood = self._misunderstood or status == _BAD_REQUEST
            # Anything else (no such consumer, a broker that shuts down) waits for the next tick.
            if status == _EXPIRED:
                await on_expired()

        await declare_consumer(self._jetstream, self._stream, self._consumer)
        for outstanding in self._outstanding.values():
            subscription = await self._client.subscribe(
                outstanding.reply, cb=partial(take, outstanding)
            )
            self._subscriptions.append(subscription)

    async def redeclare(self) -> None:
        """Make sure the broker knows the consumer, and ask it anew: it may have restarted."""
        await declare_consumer(self._jetstream, self._stream, self._consumer)
        self._misunderstood = False
        for outstanding in self._outstanding.values():
            outstanding.number = 0

    async def mend(self) -> None:
        """Declare the consumer anew if an older version has declared it without priorities."""
        if self._misunderstood:
            await self.redeclare()

    def wanting(self, most: int, priority: int) -> int:
        """Tell how many are to be asked for, that `most` may come.

        What was asked ahead is no help to a free place: the broker serves other processes first.
        """
        number = self._outstanding[FOR_FREE_PLACES].number
        if priority == AHEAD:
            number += self._outstanding[AHEAD].number
        return most - number

    async def ask(self, most: int, priority: int) -> None:
        """Ask for as many as are wanting to `most`."""
        now = asyncio.get_running_loop().time()
        for each in self._outstanding.values():
            if each.number and now - each.at > _LOST_AFTER_S:
                # Neither a message nor a status came: the broker forgot the request.
                each.number = 0
        number = self.wanting(most, priority)
        if number <= 0 or not self._client.is_connected:
            return
        outstanding = self._outstanding[priority]
        question: dict[str, object] = {"batch": number, "expires": int(self._expires_s * 1e9)}
        if isinstance(self._consumer, PrioritizedConsumer):
            question |= {"group": PRIORITY_GROUP, "priority": priority}
        outstanding.number += number
        outstanding.at = now
        subject = api.next_messages(self._stream, self._name)
        await self._client.publish(subject, orjson.dumps(question), reply=outstanding.reply)

    async def backlog(self) -> Backlog:
        """Ask the broker what it keeps; gives its last answer when it does not say."""
        with suppress(NatsError, TimeoutError, msgspec.ValidationError):
            subject = api.consumer_info(self._stream, self._name)
            answer = await self._client.request(subject, b"", timeout=_INFO_WITHIN_S)
            info = msgspec.json.decode(answer.data, type=_ConsumerInfo)
            self._clock.hear(info.ts)
            self._backlog = Backlog(info.num_pending, info.num_ack_pending)
        return self._backlog

    async def drain(self) -> None:
        """Hear nothing more, once what is on its way has come."""
        for subscription in self._subscriptions:
            # Without a connection nothing more is sent either.
            with suppress(NatsError):
                await subscription.drain()

    async def close(self) -> None:
        """Hear nothing more."""
        for subscription in self._subscriptions:
            with suppress(NatsError):
                await subscription.unsubscribe()
