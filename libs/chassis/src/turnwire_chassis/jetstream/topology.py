"""The streams and consumers that the broker keeps; declaring them is idempotent."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ClusterInfo,
    ConsumerConfig,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import APIError

from turnwire_chassis.jetstream.buckets import buckets
from turnwire_chassis.jetstream.publishing import DUPLICATE_WINDOW_S, NO_LEADER
from turnwire_chassis.jetstream.webhook_queue import webhooks_stream
from turnwire_chassis.settings import OUTPUT_MAX_BYTES
from turnwire_contracts import subjects
from turnwire_contracts.queues import Queue

log = structlog.get_logger()

DoneT = TypeVar("DoneT")


@dataclass
class PrioritizedConsumer(ConsumerConfig):
    """A consumer whose pulls have priorities; nats-py knows neither field."""

    priority_groups: list[str] | None = None
    priority_policy: str | None = None


DEAD_MAX_BYTES = 256 * 1024 * 1024
OUTPUT_MAX_AGE_S = 3600
AUDIT_DAYS = 400.0
"""How long acts stay noted."""

TURN_LEASE_S = 5.0
"""A turn whose owner is silent for so long is given to another, unless a setting says otherwise."""

PRIORITY_GROUP = "places"
"""Of pulls: the broker serves them by their priority in it (nats-server 2.12)."""

_MAX_CONSUMERS = 1000
_MAX_ACK_PENDING = 50_000
_API_TIMEOUT_S = 5.0
_PROBE_TIMEOUT_S = 1.5
_RETRY_S = 0.25
_MAJORITY = "more than half of them must be up"
_LEADERLESS = f"no node that keeps it leads it; {_MAJORITY}"
_UNHEARD_NS = 5_000_000_000
"""The nodes of a stream hear one another every second."""
_IS_OTHERWISE = 10058
"""The broker's word for a stream of that name with another configuration."""


def streams(replicas: int, output_max_bytes: int = OUTPUT_MAX_BYTES) -> list[StreamConfig]:
    """Give the streams; `replicas` nodes keep each. `output_max_bytes`: of frames, in memory."""
    return [
        StreamConfig(
            name=subjects.TURNS_STREAM,
            subjects=[subjects.TURN_EVENTS, subjects.CONVERSATION_EVENTS],
            storage=StorageType.FILE,
            retention=RetentionPolicy.LIMITS,
            discard=DiscardPolicy.NEW,
            allow_direct=True,
            duplicate_window=DUPLICATE_WINDOW_S,
            max_consumers=_MAX_CONSUMERS,
            num_replicas=replicas,
        ),
        StreamConfig(
            name=subjects.OUTPUT_STREAM,
            subjects=[subjects.OUTPUT],
            storage=StorageType.MEMORY,
            retention=RetentionPolicy.LIMITS,
            discard=DiscardPolicy.OLD,
            allow_direct=True,
            max_bytes=output_max_bytes,
            max_age=OUTPUT_MAX_AGE_S,
            duplicate_window=DUPLICATE_WINDOW_S,
            num_replicas=replicas,
        ),
        StreamConfig(
            name=subjects.DEAD_STREAM,
            subjects=[subjects.DEAD],
            storage=StorageType.FILE,
            retention=RetentionPolicy.LIMITS,
            discard=DiscardPolicy.OLD,
            allow_direct=True,
            max_bytes=DEAD_MAX_BYTES,
            num_replicas=replicas,
        ),
        *(webhooks_stream(replicas), _audit(replicas)),
        *buckets(replicas),
    ]


def kept_streams() -> tuple[str, ...]:
    """Name the streams that lie on a disk, in the order in which they are backed up.

    A letter names an entry of `TURNS`; an event of a webhook is kept before its turn is confirmed,
    an act noted before it is done. What lies in memory is gone when a broker restarts, and who was
    signed in to the console signs in again.
    """
    first, last = (subjects.DEAD_STREAM, subjects.TURNS_STREAM), subjects.AUDIT_STREAM
    on_disk = [each.name or "" for each in streams(1) if each.storage == StorageType.FILE]
    placed = {*first, last, subjects.CONSOLE_SESSIONS_STREAM}
    return (*first, *(name for name in on_disk if name not in placed), last)


def _audit(replicas: int) -> StreamConfig:
    """Keep what admins and operators did; nothing is deleted from it but by age."""
    return StreamConfig(
        name=subjects.AUDIT_STREAM,
        subjects=[subjects.AUDIT],
        storage=StorageType.FILE,
        retention=RetentionPolicy.LIMITS,
        discard=DiscardPolicy.OLD,
        allow_direct=True,
        deny_delete=True,
        max_age=AUDIT_DAYS * 86_400,
        duplicate_window=DUPLICATE_WINDOW_S,
        num_replicas=replicas,
    )


def heartbeat_s(lease_s: float) -> float:
    """Give how often an owner says that it still works: three times before its lease is over."""
    return lease_s * 0.3


def turn_consumer(queue: Queue, lease_s: float) -> ConsumerConfig:
    """Give the consumer that hands the turns of a queue to orchestrators."""
    return PrioritizedConsumer(
        # With the name said twice, the filter stands in the subject too, and so in the permissions.
        name=queue.consumer,
        durable_name=queue.consumer,
        filter_subject=queue.subject,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=lease_s,
        # An election may deliver a turn again that its owner still works on, so the number says
        # nothing; how many owners there were stands in the turn's own events.
        max_deliver=-1,
        max_ack_pending=_MAX_ACK_PENDING,
        priority_groups=[PRIORITY_GROUP],
        priority_policy="prioritized",
    )


async def declare(
    client: Client, replicas: int, output_max_bytes: int = OUTPUT_MAX_BYTES
) -> JetStreamContext:
    """Create or update all streams, waiting for JetStream as long as it takes."""
    return await _each_stream(client, streams(replicas, output_max_bytes), _create_or_update)


async def create_missing(
    client: Client, replicas: int, output_max_bytes: int = OUTPUT_MAX_BYTES
) -> JetStreamContext:
    """Create the streams that a broker has not, waiting for JetStream as long as it takes.

    Those that it has stay as they are: for who may not change what all depend on.
    """
    return await _each_stream(client, streams(replicas, output_max_bytes), _create)


async def _each_stream(
    client: Client,
    configs: list[StreamConfig],
    settle: Callable[[JetStreamContext, StreamConfig], Awaitable[None]],
) -> JetStreamContext:
    jetstream = client.jetstream(timeout=_API_TIMEOUT_S)
    for stream in configs:
        await _until_done(partial(settle, jetstream, stream))
    return jetstream


async def declare_consumer(
    jetstream: JetStreamContext, stream: str, consumer: ConsumerConfig
) -> None:
    """Create or update a consumer, waiting for JetStream as long as it takes."""
    await _until_done(partial(jetstream.add_consumer, stream, consumer))


async def last_sequence(jetstream: JetStreamContext) -> int:
    """Give the sequence of the last event of all turns, waiting as long as it takes."""
    info = await _until_done(partial(jetstream.stream_info, subjects.TURNS_STREAM))
    return info.state.last_seq


async def log_trouble(client: Client) -> str | None:
    """Tell what keeps events from being appended, for people; `None` when nothing does."""
    try:
        info = await client.jetstream(timeout=_PROBE_TIMEOUT_S).stream_info(subjects.TURNS_STREAM)
    except APIError as error:
        return _LEADERLESS if error.err_code in NO_LEADER else f"{error.description}"
    except NatsError:
        return "it does not answer"
    most, kept = info.config.max_bytes or -1, info.state.bytes
    if 0 < most < kept + client.max_payload:
        # The next event may be that large.
        return f"{info.config.name} is full: it keeps {kept} of at most {most} bytes (max_bytes)"
    return _cluster_trouble(info.cluster) if info.cluster is not None else None


def _cluster_trouble(cluster: ClusterInfo) -> str | None:
    # A leader that hears no other node steps down only after 20 s, and confirms nothing meanwhile.
    if not cluster.leader:
        return _LEADERLESS
    others = cluster.replicas or []
    online = 1 + sum(not each.offline and (each.active or 0) < _UNHEARD_NS for each in others)
    if 2 * online > 1 + len(others):
        return None
    return f"{online} of the {1 + len(others)} nodes that keep it can be heard; {_MAJORITY}"


async def _until_done(act: Callable[[], Awaitable[DoneT]]) -> DoneT:
    """Do something at the broker again and again; a cluster is without a leader for seconds."""
    while True:
        try:
            return await act()
        except NatsError as error:
            log.info("waiting for JetStream", error=str(error))
            await asyncio.sleep(_RETRY_S)


async def _create(jetstream: JetStreamContext, stream: StreamConfig) -> None:
    try:
        await jetstream.add_stream(stream)
    except APIError as error:
        if error.err_code != _IS_OTHERWISE:
            raise


async def _create_or_update(jetstream: JetStreamContext, stream: StreamConfig) -> None:
    try:
        await jetstream.add_stream(stream)
    except APIError as error:
        # Any other reason, such as a limit of the broker, must be told, and not that of the update.
        if error.err_code != _IS_OTHERWISE:
            raise
        await jetstream.update_stream(stream)
