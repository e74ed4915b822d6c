"""Subject → handler: `guard.check` → `Handlers.check`; and how the guard comes and goes."""

import asyncio
import logging
from contextlib import suppress

import structlog
from faststream.nats import NatsBroker, NatsMessage
from nats.aio.client import Client
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from turnwire_chassis.broker import connect
from turnwire_chassis.health import HealthServer
from turnwire_contracts.queries import GUARD_CHECK
from turnwire_guard.handlers import Handlers
from turnwire_guard.settings import GuardSettings

SERVICE = "guard"

log = structlog.get_logger()

_STOP_WITHIN_S = 0.5


class Guard:
    """The guard on the broker: in its queue group from `start` to `stop`."""

    def __init__(self, settings: GuardSettings) -> None:
        """Bind each subject to its handler."""
        handlers = Handlers(settings.policy)
        self._broker = _Broker(settings.nats_url)
        self._subscribed = False
        # One at a time: a check computes and never waits, so nothing could overlap. A provider that
        # waits for a model needs bounded tasks of our own, not FastStream's max_workers: it costs
        # 262 µs of CPU a check instead of 90, and drops what it has taken when it stops.
        self._checks = self._broker.subscriber(
            GUARD_CHECK.subject, queue=GUARD_CHECK.queue, decoder=_raw
        )
        self._checks(handlers.check)

    async def start(self) -> None:
        """Subscribe; waits for the broker as long as it takes."""
        await self._broker.start()
        # Only now does the broker know of the subscription.
        await self._broker.connection.flush()
        self._subscribed = True

    async def reachable(self) -> str | None:
        """Tell what keeps questions from arriving here, as a health check."""
        if not self._subscribed:
            return "not subscribed yet"
        return None if self._broker.connection.is_connected else "not connected to the broker"

    async def stop(self) -> None:
        """Leave the queue group, then finish what was asked; ends within `_STOP_WITHIN_S`."""
        with suppress(TimeoutError, NatsError):
            async with asyncio.timeout(_STOP_WITHIN_S):
                # FastStream alone would stay in the group while it waits for running handlers, and
                # drop what arrives meanwhile; the askers would wait for nothing.
                subscription, self._checks.subscription = self._checks.subscription, None
                if isinstance(subscription, Subscription):
                    await subscription.drain()
                await self._broker.stop()


class _Broker(NatsBroker):
    """FastStream on our own connection, which waits for the broker and reconnects for ever.

    FastStream's own gives up for good on errors that pass, like `maximum connections exceeded`.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url, apply_types=False, logger=logging.getLogger(__name__))
        self._url = url

    async def _connect(self) -> Client:
        connection = await connect(self._url, SERVICE)
        self.config.connect(connection)
        return connection


async def _raw(message: NatsMessage) -> bytes:
    # FastStream would try a body without a content type as JSON; the handler reads it, once.
    return message.body


async def serve(settings: GuardSettings) -> None:
    """Answer until cancelled."""
    guard = Guard(settings)
    health = HealthServer(settings.health_host, settings.health_port, {"broker": guard.reachable})
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(health.run())
            await guard.start()
            log.info("guard answers", applications=len(settings.policy.applications))
    finally:
        await guard.stop()
