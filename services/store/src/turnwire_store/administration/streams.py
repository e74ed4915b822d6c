"""How large the broker's streams are, and who leads them."""

from typing import Final

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import StreamInfo
from nats.js.errors import Error as JetStreamError

from turnwire_chassis.event_log import LogUnavailableError
from turnwire_chassis.jetstream.topology import streams
from turnwire_contracts.administration.deployment import StreamReplica, StreamStatus

_TIMEOUT_S: Final = 3.0


async def stream_statuses(client: Client) -> list[StreamStatus]:
    """Tell of all streams. Raises `LogUnavailableError`."""
    jetstream = JetStreamContext(client, timeout=_TIMEOUT_S)
    try:
        return [_status(await jetstream.stream_info(stream.name or "")) for stream in streams(1)]
    except (NatsError, JetStreamError, TimeoutError) as error:
        raise LogUnavailableError(str(error) or type(error).__name__) from error


def _status(info: StreamInfo) -> StreamStatus:
    most, cluster = info.config.max_bytes, info.cluster
    return StreamStatus(
        name=info.config.name or "",
        messages=info.state.messages,
        bytes=info.state.bytes,
        first_sequence=info.state.first_seq,
        last_sequence=info.state.last_seq,
        max_bytes=most if most is not None and most > 0 else None,
        leader=(cluster.leader or None) if cluster else None,
        replicas=[
            StreamReplica(each.name or "", bool(each.current), each.lag or 0)
            for each in (cluster and cluster.replicas) or ()
        ],
    )
