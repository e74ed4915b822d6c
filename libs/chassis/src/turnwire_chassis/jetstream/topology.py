"""The streams and consumers that the broker keeps; declaring them is idempotent."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import APIError

from turnwire_contracts import subjects

log = structlog.get_logger()

DUPLICATE_WINDOW_S = 120
OUTPUT_MAX_BYTES = 256 * 1024 * 1024
OUTPUT_MAX_AGE_S = 3600
AUDIT_DAYS = 400.0
"""How long acts stay noted."""
LIMITS_MAX_AGE_S = 86_400
"""A tenant that did nothing for so long has used nothing."""

ACK_WAIT_S = 5.0
"""A turn whose owner is silent for so long is given to another."""

HEARTBEAT_S = 1.5
"""How often an owner says that it still works on a turn."""

MAX_DELIVERIES = 6
"""A turn that so many owners failed to finish is closed as failed by the last."""

_MAX_CONSUMERS = 1000
_MAX_ACK_PENDING = 50_000
_RETRY_S = 0.25
_IS_OTHERWISE = 10058
"""The broker's word for a stream of that name with another configuration."""
_DAY_S = 86_400.0


def streams(replicas: int) -> list[StreamConfig]:
    """Give the streams; `replicas` nodes keep each."""
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
            max_bytes=OUTPUT_MAX_BYTES,
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
            max_bytes=OUTPUT_MAX_BYTES,
            num_replicas=replicas,
        ),
        _audit(replicas),
        *buckets(replicas),
    ]


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
        max_age=AUDIT_DAYS * _DAY_S,
        duplicate_window=DUPLICATE_WINDOW_S,
        num_replicas=replicas,
    )


def buckets(replicas: int) -> list[StreamConfig]:
    """Give the key-value buckets; each is a stream that keeps the last message of a subject."""
    return [
        StreamConfig(
            name=subjects.LIMITS_STREAM,
            subjects=[subjects.LIMITS],
            storage=StorageType.MEMORY,
            retention=RetentionPolicy.LIMITS,
            discard=DiscardPolicy.NEW,
            allow_direct=True,
            allow_rollup_hdrs=True,
            deny_delete=True,
            max_msgs_per_subject=1,
            max_age=LIMITS_MAX_AGE_S,
            num_replicas=replicas,
        ),
        api_keys_stream(replicas),
        StreamConfig(
            name=subjects.VIEW_KEYS_STREAM,
            subjects=[subjects.VIEW_KEYS],
            storage=StorageType.FILE,
            retention=RetentionPolicy.LIMITS,
            discard=DiscardPolicy.NEW,
            allow_direct=True,
            max_msgs_per_subject=1,
            num_replicas=replicas,
        ),
    ]


def api_keys_stream(replicas: int) -> StreamConfig:
    """Give the KV bucket of the API keys; no message of it can be removed one by one."""
    return StreamConfig(
        name=subjects.API_KEYS_STREAM,
        subjects=[subjects.API_KEYS],
        storage=StorageType.FILE,
        retention=RetentionPolicy.LIMITS,
        discard=DiscardPolicy.NEW,
        max_msgs_per_subject=1,
        allow_direct=True,
        allow_rollup_hdrs=True,
        deny_delete=True,
        duplicate_window=DUPLICATE_WINDOW_S,
        num_replicas=replicas,
    )


def orchestrator_consumer() -> ConsumerConfig:
    """Give the consumer that hands requested turns to orchestrators."""
    return _consumer(subjects.ORCHESTRATOR_CONSUMER, subjects.TURN_REQUESTED)


def background_consumer() -> ConsumerConfig:
    """Give the consumer of background turns: what fills it never makes a foreground turn wait."""
    return _consumer(subjects.BACKGROUND_CONSUMER, subjects.TURN_REQUESTED_BACKGROUND)


def _consumer(name: str, subject: str) -> ConsumerConfig:
    return ConsumerConfig(
        # With the name said twice, the filter stands in the subject too, and so in the permissions.
        name=name,
        durable_name=name,
        filter_subject=subject,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=ACK_WAIT_S,
        max_deliver=MAX_DELIVERIES,
        max_ack_pending=_MAX_ACK_PENDING,
    )


async def declare(client: Client, replicas: int) -> JetStreamContext:
    """Create or update all streams, waiting for JetStream as long as it takes."""
    return await _each_stream(client, replicas, _create_or_update)


async def create_missing(client: Client, replicas: int) -> JetStreamContext:
    """Create the streams that a broker has not, waiting for JetStream as long as it takes.

    Those that it has stay as they are: for who may not change what all depend on.
    """
    return await _each_stream(client, replicas, _create)


async def _each_stream(
    client: Client,
    replicas: int,
    settle: Callable[[JetStreamContext, StreamConfig], Awaitable[None]],
) -> JetStreamContext:
    jetstream = client.jetstream(timeout=5)
    while True:
        try:
            for stream in streams(replicas):
                await settle(jetstream, stream)
        except NatsError as error:
            log.info("waiting for JetStream", error=str(error))
            await asyncio.sleep(_RETRY_S)
        else:
            return jetstream


async def last_sequence(jetstream: JetStreamContext) -> int:
    """Give the sequence of the last event of all turns, waiting as long as it takes."""
    while True:
        try:
            return (await jetstream.stream_info(subjects.TURNS_STREAM)).state.last_seq
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
    except NatsError:
        await jetstream.update_stream(stream)
