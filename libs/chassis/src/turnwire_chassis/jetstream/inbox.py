"""The inbox of turns: a durable pull consumer that never holds more than it can work on.

FastStream's workers fetch ahead of their capacity and run long messages twice (faststream#2563), so
this is our own: it asks for exactly the free places, tells the broker that it still works on what
it holds, and gives up what it cannot finish.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import orjson
import structlog
from msgspec import Struct
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig

from turnwire_chassis.jetstream import api
from turnwire_chassis.telemetry import metrics
from turnwire_contracts import subjects

log = structlog.get_logger()

# Shorter than a lost owner's grace: the pulls of a process that hangs with its connection open are
# gone before its turns are given out again, or they would be given to it once more.
_PULL_EXPIRES_S = 2.0
_LOST_AFTER_S = _PULL_EXPIRES_S + 2.0
_TICK_S = 0.5
_EXPIRED = "408"
_GIVE_BACK_DELAY_S = 1.0
_LOOK_EVERY_S = 5.0


class DisownedError(Exception):
    """Somebody else has this delivery now: it must neither be confirmed nor given back."""


class Delivery(Struct, frozen=True):
    """One message that this process owns until it ends."""

    subject: str
    body: bytes
    sequence: int
    """Its place in the stream."""
    attempt: int
    """1 the first time; more after an owner was lost."""


Work = Callable[[Delivery], Awaitable[None]]
"""Handles one delivery; raising gives it back to the broker for another try."""


async def _refuse(delivery: Delivery) -> None:
    """Stand in until `run` says what the work is."""
    raise RuntimeError(f"nobody works on {delivery.subject}")


class Inbox:
    """Runs `work` for each delivery, at most `places` at once."""

    def __init__(
        self, client: Client, jetstream: JetStreamContext, consumer: ConsumerConfig, stream: str
    ) -> None:
        """Pull from `consumer` of `stream`; nothing happens before `run`."""
        self._client = client
        self._jetstream = jetstream
        self._consumer = consumer
        self._stream = stream
        self._owned: dict[str, asyncio.Task[None]] = {}
        self._asked = 0
        self._asked_at = 0.0
        self._places = 0
        self._work: Work = _refuse
        self._reply = client.new_inbox()
        self._subscription: Subscription | None = None

    async def run(self, work: Work, places: int, heartbeat_s: float) -> None:
        """Work until cancelled; then everything that is owned is cancelled and given back."""
        self._work, self._places = work, places
        await self._jetstream.add_consumer(self._stream, self._consumer)
        subscription = await self._client.subscribe(self._reply, cb=self._on_message)
        self._subscription = subscription
        watching = asyncio.create_task(self._watch_lag())
        try:
            beats = 0
            while True:
                await self._pull()
                await asyncio.sleep(_TICK_S)
                beats += 1
                if beats * _TICK_S >= heartbeat_s:
                    beats = 0
                    await self._say_in_progress()
        finally:
            watching.cancel()
            with suppress(NatsError):
                await subscription.unsubscribe()
            await self._give_up()

    async def finish(self) -> None:
        """Take no more deliveries, and return when all that are owned are done; `run` goes on.

        What the broker has already sent is still taken: it would lie until its time is over.
        """
        self._places = 0
        if self._subscription is not None:
            # Without a connection nothing more is sent either.
            with suppress(NatsError):
                await self._subscription.drain()
        while self._owned:
            await asyncio.wait(self._owned.values())

    async def redeclare(self) -> None:
        """Make sure the broker knows the consumer, and ask it anew: it may have restarted."""
        await self._jetstream.add_consumer(self._stream, self._consumer)
        self._asked = 0

    async def _watch_lag(self) -> None:
        """Tell how many messages wait for anybody, again and again, until cancelled."""
        name = self._consumer.durable_name or ""
        lane = "background" if name == subjects.BACKGROUND_CONSUMER else "foreground"
        lag, unconfirmed = metrics.INBOX_LAG(lane), metrics.INBOX_UNCONFIRMED(lane)
        metrics.PLACES(lane).set(self._places)
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            with suppress(NatsError, TimeoutError):
                info = await self._jetstream.consumer_info(self._stream, name)
                lag.set(info.num_pending or 0)
                unconfirmed.set(info.num_ack_pending or 0)

    async def _pull(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._asked and now - self._asked_at > _LOST_AFTER_S:
            # Neither a message nor a status came: the broker forgot the request.
            self._asked = 0
        free = self._places - len(self._owned) - self._asked
        if free <= 0 or not self._client.is_connected:
            return
        question = {"batch": free, "expires": int(_PULL_EXPIRES_S * 1e9)}
        subject = api.next_messages(self._stream, self._consumer.durable_name or "")
        self._asked += free
        self._asked_at = now
        await self._client.publish(subject, orjson.dumps(question), reply=self._reply)

    async def _on_message(self, message: Msg) -> None:
        status = (message.headers or {}).get("Status") if message.headers else None
        if status is not None:
            await self._on_status(message, status)
            return
        self._asked = max(0, self._asked - 1)
        self._asked_at = asyncio.get_running_loop().time()
        task = asyncio.create_task(self._handle(message))
        self._owned[message.reply] = task

    async def _on_status(self, message: Msg, status: str) -> None:
        left = (message.headers or {}).get("Nats-Pending-Messages")
        self._asked = max(0, self._asked - int(left)) if left is not None else 0
        if status == _EXPIRED:
            await self._pull()
        # Anything else (no such consumer, a broker that shuts down) waits for the next tick.

    async def _handle(self, message: Msg) -> None:
        delivery = _delivery(message)
        try:
            await self._work(delivery)
            await self._client.publish(message.reply, b"+ACK")
        except DisownedError:
            log.warning("delivery was taken over", subject=delivery.subject)
        except asyncio.CancelledError:
            with suppress(NatsError):
                await self._client.publish(message.reply, b"-NAK")
            raise
        except Exception:
            log.exception("delivery failed", subject=delivery.subject, attempt=delivery.attempt)
            delay = orjson.dumps({"delay": int(_GIVE_BACK_DELAY_S * 1e9 * delivery.attempt)})
            with suppress(NatsError):
                await self._client.publish(message.reply, b"-NAK " + delay)
        finally:
            self._owned.pop(message.reply, None)
            if self._asked * 2 <= self._places:
                await self._pull()

    async def _say_in_progress(self) -> None:
        for reply in list(self._owned):
            await self._client.publish(reply, b"+WPI")

    async def _give_up(self) -> None:
        tasks = list(self._owned.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _delivery(message: Msg) -> Delivery:
    metadata = message.metadata
    return Delivery(message.subject, message.data, metadata.sequence.stream, metadata.num_delivered)
