"""Answers questions: FastStream in a queue group, and what it does not do itself.

FastStream alone tries a body without a content type as JSON, drops what it has taken when it stops,
gives up on errors of the connection that pass, and runs questions side by side only by
`max_workers`, which costs three times as much as a task (262 µs a question against 90).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import structlog
from faststream.nats import NatsBroker, NatsMessage
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from turnwire_chassis.broker import connect, denied, unreachable
from turnwire_chassis.broker_access.access import NO_ACCESS, Access
from turnwire_chassis.broker_access.refusals import Refusals
from turnwire_chassis.broker_access.server_urls import parse_server_urls
from turnwire_chassis.concurrency import BoundedTasks
from turnwire_chassis.crash_points import reached
from turnwire_chassis.telemetry import metrics
from turnwire_chassis.telemetry.correlation import end_answering
from turnwire_contracts.queries import Query

log = structlog.get_logger()

Answer = Callable[[bytes], Awaitable[bytes]]
"""Gives the answer to a question, both as they travel."""

Listener = Callable[[str], None]
"""Takes note of a message by its subject."""

_FINISH_WITHIN_S = 0.25
_STOP_WITHIN_S = 0.25


class Responder:
    """One service in its queue groups, from `start` to `stop`."""

    def __init__(
        self, url: str, service: str, most_at_once: int, access: Access = NO_ACCESS
    ) -> None:
        """Answer at most `most_at_once` questions side by side; what is above that waits here."""
        self._broker = _Broker(url, service, access)
        self._running = BoundedTasks(most_at_once)
        self._subscribers: list[Any] = []
        self._subscribed = False
        self._listeners: list[tuple[str, Listener]] = []
        self._beside_others: list[tuple[str, Answer]] = []

    def respond_to(self, query: Query[Any, Any], answer: Answer) -> None:
        """Answer the questions of `query` by `answer`; before `start`."""

        async def take(message: Msg) -> None:
            await self._running.start(lambda: _reply(message, query.subject, answer))

        subscriber = self._broker.subscriber(
            query.subject, queue=query.queue, decoder=_untouched, no_reply=True
        )
        subscriber(take)
        self._subscribers.append(subscriber)

    def listen(self, subject: str, listener: Listener) -> None:
        """Call `listener` for every message on `subject`, in no queue group; before `start`.

        For what the log took before a question was asked, it is called before the question is
        answered: both come over one connection, and the broker hands a message on before it
        confirms it. Messages that are published while there is no connection are lost
        (`connections`).
        """
        self._listeners.append((subject, listener))

    def respond_beside_others(self, subject: str, answer: Answer) -> None:
        """Answer what every process is asked, in no queue group; before `start`."""
        self._beside_others.append((subject, answer))

    async def start(self) -> None:
        """Subscribe; waits for the broker as long as it takes."""
        await self._broker.connect()
        # First, as a reconnection subscribes in the same order: who is asked, hears.
        for subject, listener in self._listeners:
            await self._broker.connection.subscribe(subject, cb=_noting(listener))  # pyright: ignore[reportUnknownMemberType] -- a bare Future in nats-py
        for subject, answer in self._beside_others:
            await self._broker.connection.subscribe(subject, cb=self._answering(subject, answer))  # pyright: ignore[reportUnknownMemberType] -- as above
        await self._broker.start()
        # Only now does the broker know of the subscriptions.
        await self._broker.connection.flush()
        self._subscribed = True

    async def publish(self, subject: str, body: bytes) -> None:
        """Publish to all subscribers; without a connection, as soon as there is one."""
        await self._broker.connection.publish(subject, body)

    @property
    def connections(self) -> int:
        """How often the connection was made anew; messages were lost if this has grown."""
        return self._broker.connection.stats["reconnects"]

    @property
    def largest_answer(self) -> int:
        """How many bytes an answer may have; headers count as payload too."""
        return self._broker.connection.max_payload - 1024

    async def reachable(self) -> str | None:
        """Tell what keeps questions from arriving here, as a readiness check."""
        if not self._subscribed:
            return self._broker.refusals.unknown_user or "not subscribed yet"
        return unreachable(self._broker.connection)

    async def refused(self) -> str | None:
        """Tell what the broker denied a moment ago, as a warning of health."""
        return denied(self._broker.connection) if self._subscribed else None

    async def finish(self) -> None:
        """Leave the queue groups, and return when all that was asked is answered."""
        with suppress(NatsError):
            await self._leave()
        await self._running.finish()

    async def stop(self) -> None:
        """Leave the queue groups, then finish what was asked; ends within half a second."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_FINISH_WITHIN_S):
                await self.finish()
        self._running.cancel()
        with suppress(TimeoutError, NatsError):
            async with asyncio.timeout(_STOP_WITHIN_S):
                await self._broker.stop()

    def _answering(self, subject: str, answer: Answer) -> Callable[[Msg], Awaitable[None]]:
        async def take(message: Msg) -> None:
            await self._running.start(lambda: _reply(message, subject, answer))

        return take

    async def _leave(self) -> None:
        # FastStream alone would stay in the group while it waits for running handlers, and drop
        # what arrives meanwhile; the askers would wait for nothing.
        for subscriber in self._subscribers:
            subscription, subscriber.subscription = subscriber.subscription, None
            if isinstance(subscription, Subscription):
                await subscription.drain()


class _Broker(NatsBroker):
    """FastStream on our own connection, which waits for the broker and reconnects for ever."""

    def __init__(self, url: str, service: str, access: Access) -> None:
        super().__init__(
            parse_server_urls(url).urls, apply_types=False, logger=logging.getLogger(__name__)
        )
        self._url = url
        self._service = service
        self._access = access
        self.refusals = Refusals()

    async def _connect(self) -> Client:
        connection = await connect(
            self._url, self._service, access=self._access, refusals=self.refusals
        )
        self.config.connect(connection)
        return connection


def _noting(listener: Listener) -> Callable[[Msg], Awaitable[None]]:
    async def note(message: Msg) -> None:
        # Nothing in here waits, so that no question can overtake.
        listener(message.subject)

    return note


async def _reply(message: Msg, question: str, answer: Answer) -> None:
    loop = asyncio.get_running_loop()
    began, outcome = loop.time(), "failed"
    reached("query.taken", question)
    try:
        reply = await answer(message.data)
        reached("query.before_answer", question)
        if message.reply:
            await message.respond(reply)
        reached("query.after_answer", question)
        outcome = "answered"
        end_answering()
    except Exception as error:
        # No answer is sent: the asker finds that out by its own timeout, and may ask again.
        log.exception("question not answered", subject=message.subject)
        end_answering(error)
    finally:
        metrics.QUESTIONS(question, outcome).observe(loop.time() - began)


async def _untouched(message: NatsMessage) -> Msg:
    return message.raw_message
