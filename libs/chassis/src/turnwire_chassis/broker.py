"""The connection to the broker: it reconnects for ever, and logs what the broker refuses."""

import asyncio
import os
import signal
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import cached_property

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import SlowConsumerError

from turnwire_chassis.broker_access.access import NO_ACCESS, Access
from turnwire_chassis.broker_access.refusals import Refusals
from turnwire_chassis.broker_access.server_urls import parse_server_urls
from turnwire_chassis.broker_wire.client import DirectClient
from turnwire_chassis.broker_wire.transport import Take
from turnwire_chassis.concurrency import ConcurrencyLimit
from turnwire_chassis.telemetry import metrics
from turnwire_contracts import subjects

log = structlog.get_logger()

_CLOSE_WITHIN_S = 0.5
_RECONNECT_WAIT_S = 0.25
SILENCE_S = 3.0
"""How long the broker may leave pings unanswered before a connection is taken to be lost."""

_MOST_UNANSWERED_PINGS = 2
"""What nats-py takes without being told."""

MOST_READS_AT_ONCE = 8
"""Reads of streams that a connection asks for at once. The broker answers one after the other and
takes nothing else of that connection meanwhile, no ping either: with a hundred reads of some 40 ms
each a connection that is well would be taken to be lost."""

_RESET = struct.pack("ii", 1, 0)
_PENDING_BYTES = 64 * 1024 * 1024


class BrokerConnection(DirectClient):
    """A client that notes what was refused, and whether this process closed it."""

    def __init__(self, refusals: Refusals) -> None:
        """`refusals`: where to note what the broker refuses."""
        super().__init__()
        self.refusals = refusals
        self.parting = False
        self.lost: Callable[[], None] = _ignore

    @cached_property
    def reads(self) -> ConcurrencyLimit:
        """Lets reads of streams in, `MOST_READS_AT_ONCE` of them."""
        return ConcurrencyLimit(MOST_READS_AT_ONCE)

    async def _attempt_reconnect(self) -> None:
        """Connect anew; what the old connection has not delivered must not arrive later.

        nats-py would wait until all of it is sent, which takes as long as the kernel tries where
        the network has lost the connection: a quarter of an hour.
        """
        self.lost()
        _abort(self._transport)
        await super()._attempt_reconnect()

    async def _process_pong(self) -> None:
        """Take the answer to a ping, also when the wait for it was given up.

        nats-py would then stop reading, and the connection would be deaf.
        """
        if self._pongs and self._pongs[0].done():
            self._pongs[0] = asyncio.get_running_loop().create_future()
        await super()._process_pong()

    @property
    def is_clustered(self) -> bool:
        """Whether the server that this is connected to is one of several."""
        return bool(self._server_info.get("cluster"))

    async def close(self) -> None:
        """Close for good: the end of the connection is then no error."""
        self.parting = True
        if not self.is_connected or _is_closed(self._transport):
            # The broker takes it no more, and uvloop raises where nats-py would still send it.
            self._pending, self._pending_data_size = [], 0
            self._leaving.clear()
        task = asyncio.current_task()
        cancelled = task.cancelling() if task else 0
        try:
            await super().close()
        except asyncio.CancelledError:
            # A task of nats-py waited for the same socket and was cancelled; we may not have been.
            if task is None or task.cancelling() > cancelled:
                raise

    async def drain(self) -> None:
        """Close once everything that was received is handled."""
        self.parting = True
        await super().drain()

    def connected(self) -> None:
        """Note that the broker is there, and knows us."""
        self.refusals.connected()
        metrics.BROKER_CONNECTED().set(1)

    async def on_disconnected(self) -> None:
        """Log it, unless this process closed the connection."""
        metrics.BROKER_CONNECTED().set(0)
        if not self.is_closed:
            log.warning("broker lost")

    async def on_error(self, error: Exception) -> None:
        """Log what nats-py reports here alone: a denied subject, or a full buffer."""
        if isinstance(error, SlowConsumerError):
            metrics.BROKER_DROPPED().inc()
            log.warning("broker dropped messages", subject=error.subject)
        elif not self.refusals.note(str(error)):
            log.warning("broker error", error=str(error), kind=type(error).__name__)

    async def on_closed(self) -> None:
        """End the process when it was the broker that ended the connection.

        nats-py gives up for good when a user is taken away or its JWT ends. The
        supervisor starts the process again, which then waits for the broker to know it.
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
    client = BrokerConnection(refusals or Refusals())

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
        ping_interval=_pinged_every(SILENCE_S),  # pyright: ignore[reportArgumentType] -- as above
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


async def listen(client: Client, subject: str, take: Take) -> Subscription:
    """Call `take` with each message on `subject`, its subject and its body; it must not block."""
    if isinstance(client, DirectClient):
        return await client.listen(subject, take)

    async def on_message(message: Msg) -> None:
        take(message.subject.encode(), message.data)

    return await client.subscribe(subject, cb=on_message)


def _abort(transport: object) -> None:
    """End a connection at once, and forget what its peer has not taken yet."""
    writer: object = getattr(transport, "_io_writer", None)
    if isinstance(writer, asyncio.StreamWriter):
        sock = writer.get_extra_info("socket")
        if sock is not None and sock.fileno() != -1:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        writer.transport.abort()


def _is_closed(transport: object) -> bool:
    """Tell whether a connection takes nothing more."""
    writer: object = getattr(transport, "_io_writer", None)
    return isinstance(writer, asyncio.StreamWriter) and writer.transport.is_closing()


def on_loss(client: Client, lost: Callable[[], None], silence_s: float = SILENCE_S) -> None:
    """Call `lost` whenever the connection is lost, before anything can be sent over a new one.

    It is taken to be lost when the broker has been silent for `silence_s`.
    """
    if isinstance(client, BrokerConnection):
        client.lost = lost
        client.options["ping_interval"] = _pinged_every(silence_s)


def _pinged_every(silence_s: float) -> float:
    return silence_s / (_MOST_UNANSWERED_PINGS + 1)


def _ignore() -> None:
    """Do nothing: no part of this process asked to be told."""


def unreachable(client: Client) -> str | None:
    """Say what keeps a connection from being used; `None`: nothing does."""
    unknown = client.refusals.unknown_user if isinstance(client, BrokerConnection) else None
    return unknown or (None if client.is_connected else "not connected to the broker")


def denied(client: Client) -> str | None:
    """Name the subjects that the broker denied within the last minute; `None`: it denied none."""
    return client.refusals.denied if isinstance(client, BrokerConnection) else None


def is_clustered(client: Client) -> bool:
    """Tell whether streams may have several nodes, of which one leads and others may be behind."""
    return isinstance(client, BrokerConnection) and client.is_clustered


def reads_of(client: Client) -> ConcurrencyLimit:
    """Give the limit that every read of a stream over this connection passes."""
    if isinstance(client, BrokerConnection):
        return client.reads
    return ConcurrencyLimit(MOST_READS_AT_ONCE)


def server_version(client: Client) -> tuple[int, int, int]:
    """Tell the version of the server that this is connected to."""
    version = client.connected_server_version
    return version.major, version.minor, version.patch


async def disconnect(client: Client) -> None:
    """Close a connection; what cannot be sent within a moment is given up.

    nats-py waits for the socket without end when much is on its way in both directions.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(_CLOSE_WITHIN_S):
            await client.close()
