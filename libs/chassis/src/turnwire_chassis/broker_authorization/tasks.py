"""What the tasks of users need at the broker's own API, and beside it: the parts of `rights.py`."""

from collections.abc import Iterable
from typing import Final

from turnwire_chassis.jetstream import api
from turnwire_chassis.jetstream.topology import kept_streams, streams
from turnwire_contracts import subjects
from turnwire_contracts.administration.dead_letters import UNDELIVERED
from turnwire_contracts.ids import ResponseId, TenantId
from turnwire_contracts.queues import QUEUES

_TURNS: Final = subjects.TURNS_STREAM

ANY_RESPONSE: Final = ResponseId("*")
TURN_CONSUMERS: Final = tuple((queue.consumer, queue.subject) for queue in QUEUES)

ABOUT_CONSUMERS: Final = (
    api.create_consumer,
    api.delete_consumer,
    api.consumer_info,
    api.next_messages,
)


def restore_streams() -> tuple[str, ...]:
    """Make streams again that the broker lost; any user that notices may."""
    return tuple(api.create_stream(stream.name or "") for stream in streams(1))


def declare_streams() -> tuple[str, ...]:
    """Make all streams, and change those that there are."""
    return (*restore_streams(), *(api.update_stream(stream.name or "") for stream in streams(1)))


def read_stream(stream: str) -> tuple[str, ...]:
    """Read from any node, and ask the leader whether that was all."""
    return (api.direct_get(stream), api.message_at_leader(stream))


def keep_dead_letters() -> Iterable[str]:
    """List, retry and drop dead letters; a request that none drives can be delivered once more."""
    yield from read_stream(subjects.DEAD_STREAM)
    yield api.stream_info(subjects.DEAD_STREAM)
    yield api.erase_message(subjects.DEAD_STREAM)
    yield subjects.retried(ANY_RESPONSE)
    yield subjects.WEBHOOKS
    yield subjects.OWNERS
    yield from (queue.subject for queue in QUEUES)


def examine() -> Iterable[str]:
    """Look at everything that the broker keeps, and whether keys of views open."""
    for stream in streams(1):
        yield api.stream_info(stream.name or "")
    for consumer, _ in TURN_CONSUMERS:
        yield api.consumer_info(_TURNS, consumer)
    yield from read_stream(subjects.VIEW_KEYS_STREAM)


def back_up() -> Iterable[str]:
    """Take every stream that lies on a disk out of a broker, and make it again from that."""
    for stream in kept_streams():
        yield api.stream_info(stream)
        yield api.snapshot(stream)
        yield api.snapshot_acknowledgements(stream)
        yield api.restore(stream)
        yield api.restore_parts(stream)
        yield api.delete_stream(stream)


def work_on_turns() -> Iterable[str]:
    """Take turns from their queues."""
    for consumer, only in TURN_CONSUMERS:
        yield api.create_consumer(_TURNS, consumer, only)
        yield api.consumer_info(_TURNS, consumer)
        yield api.next_messages(_TURNS, consumer)
        yield api.acknowledgements(_TURNS, consumer)


def deliver_webhooks() -> Iterable[str]:
    """Take events for webhooks and the key that signs one, and keep what no receiver takes."""
    stream, consumer = subjects.WEBHOOKS_STREAM, subjects.WEBHOOK_CONSUMER
    yield api.create_consumer(stream, consumer, subjects.WEBHOOKS)
    yield api.consumer_info(stream, consumer)
    yield api.next_messages(stream, consumer)
    yield api.acknowledgements(stream, consumer)
    yield api.direct_get_last(subjects.API_KEYS_STREAM, subjects.api_key("*"))
    yield subjects.dead(UNDELIVERED, ANY_RESPONSE)


def project() -> tuple[str, ...]:
    """Have consumers of one's own, whose names count the generations of the views."""
    return tuple(about(_TURNS, "*") for about in ABOUT_CONSUMERS)


def administer() -> Iterable[str]:
    """Keep API keys, read acts and dead letters, look at streams: for gateways, which may not."""
    yield subjects.API_KEYS
    yield subjects.audit_event(TenantId("*"), "erasure_finished")
    for stream in (subjects.API_KEYS_STREAM, subjects.AUDIT_STREAM, subjects.DEAD_STREAM):
        yield from read_stream(stream)
    for stream in streams(1):
        yield api.stream_info(stream.name or "")
