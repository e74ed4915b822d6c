"""The connection to the broker: made once, kept for ever, and loud when something is refused."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import msgspec
import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import SlowConsumerError

from turnwire_chassis.broker_access.access import NO_ACCESS, Access
from turnwire_chassis.broker_access.refusals import Refusals
from turnwire_chassis.broker_access.server_urls import parse_server_urls
from turnwire_chassis.telemetry import metrics, spans
from turnwire_chassis.telemetry.correlation import correlated
from turnwire_contracts import subjects
from turnwire_contracts.queries import Query, Question

log = structlog.get_logger()

AnswerT = TypeVar("AnswerT")
QuestionT = TypeVar("QuestionT", bound=msgspec.Struct)

PATIENCE_S = 3.0
"""How long a question is asked again while no service answers."""

_ASK_AGAIN_S = 0.2
_CLOSE_WITHIN_S = 0.5
_RECONNECT_WAIT_S = 0.25
_PING_INTERVAL_S = 10
_PENDING_BYTES = 64 * 1024 * 1024


class NobodyAnswersError(Exception):
    """A question found no service that answers, or none that did so in time."""


class Connection(Client):
    """A client that knows what it was refused, and whether it was closed by us."""

    def __init__(self, refusals: Refusals) -> None:
        """Connect nowhere yet."""
        super().__init__()
        self.refusals = refusals
        self.parting = False

    async def close(self) -> None:
        """Close, for good."""
        self.parting = True
        await super().close()

    async def drain(self) -> None:
        """Close once everything that was received is handled."""
        self.parting = True
        await super().drain()

    def connected(self) -> None:
        """Note that the broker is there, and knows us."""
        self.refusals.connected()
        metrics.BROKER_CONNECTED().set(1)

    async def on_disconnected(self) -> None:
        """Say so, unless we wanted it."""
        metrics.BROKER_CONNECTED().set(0)
        if not self.is_closed:
            log.warning("broker lost")

    async def on_error(self, error: Exception) -> None:
        """Say what is told here and nowhere else: a denied subject, or a full buffer."""
        if isinstance(error, SlowConsumerError):
            metrics.BROKER_DROPPED().inc()
            log.warning("broker dropped messages", subject=error.subject)
        elif not self.refusals.note(str(error)):
            log.warning("broker error", error=str(error), kind=type(error).__name__)

    async def on_closed(self) -> None:
        """End the process when it was the broker that ended the connection.

        nats-py gives up for good when a user is taken away or its JWT ends; whoever keeps the
        process running starts it again, and it then waits for the broker to know it.
        """
        if not self.parting:
            log.error("broker ended the connection", error=str(self.last_error))
            os.kill(os.getpid(), signal.SIGTERM)


async def connect(
    url: str,
    service: str,
    reconnected: Callable[[], Awaitable[None]] | None = None,
    access: Access = NO_ACCESS,
    refusals: Refusals | None = None,
) -> Client:
    """Connect as `service` to a server that `url` lists, waiting for one as long as it takes.

    `reconnected` runs after every reconnection: a broker that lost its memory needs its streams.
    A broker that does not know us is asked again; `refusals` tells of it.
    """
    servers = parse_server_urls(url)
    client = Connection(refusals or Refusals())

    async def on_reconnect() -> None:
        log.info("broker found again")
        metrics.BROKER_RECONNECTS().inc()
        client.connected()
        if reconnected is not None:
            await reconnected()

    await client.connect(
        list(servers.urls),
        name=service,
        inbox_prefix=subjects.inbox(service).encode(),
        max_reconnect_attempts=-1,  # the first connection waits like every later one
        reconnect_time_wait=_RECONNECT_WAIT_S,  # pyright: ignore[reportArgumentType] -- fractions work
        connect_timeout=2,
        ping_interval=_PING_INTERVAL_S,
        pending_size=_PENDING_BYTES,
        error_cb=client.on_error,
        disconnected_cb=client.on_disconnected,
        reconnected_cb=on_reconnect,
        closed_cb=client.on_closed,
        **servers.credentials,
        **access.options(),
    )
    client.connected()
    return client


def unreachable(client: Client) -> str | None:
    """What keeps a connection from being used, for people; `None` when nothing does."""
    unknown = client.refusals.unknown_user if isinstance(client, Connection) else None
    return unknown or (None if client.is_connected else "not connected to the broker")


def denied(client: Client) -> str | None:
    """Which subjects the broker denied a moment ago, for people; `None` when it denied none."""
    return client.refusals.denied if isinstance(client, Connection) else None


async def disconnect(client: Client) -> None:
    """Close a connection; what cannot be sent within a moment is given up.

    nats-py waits for the socket without end when much is on its way in both directions.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(_CLOSE_WITHIN_S):
            await client.close()


async def ask(
    client: Client, query: Query[QuestionT, AnswerT], question: QuestionT, timeout_s: float
) -> AnswerT:
    """Ask whichever member of the queue group is free.

    Raises `NobodyAnswersError` at once when there is none, or when `timeout_s` passes.
    """
    with spans.asking(query.subject):
        if isinstance(question, Question):
            question = correlated(question)
        try:
            reply = await client.request(query.subject, query.ask(question), timeout=timeout_s)
        except NatsError as error:
            # Nobody there, no answer in time, or a question that cannot be sent.
            metrics.UNANSWERED(query.subject).inc()
            raise NobodyAnswersError(query.subject) from error
    return query.answered(reply.data)


async def ask_patiently(
    client: Client, query: Query[QuestionT, AnswerT], question: QuestionT, timeout_s: float
) -> AnswerT:
    """Ask, and ask again while nobody is there: a service that restarts is back in seconds.

    Raises `NobodyAnswersError` after `PATIENCE_S`, or when `timeout_s` passes.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + PATIENCE_S
    while True:
        try:
            return await ask(client, query, question, timeout_s)
        except NobodyAnswersError:
            if loop.time() >= until:
                raise
            await asyncio.sleep(_ASK_AGAIN_S)
