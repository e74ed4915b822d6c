"""How many turns wait for an orchestrator, as the broker's consumers have it."""

from typing import Final

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import Error as JetStreamError

from turnwire_contracts import subjects
from turnwire_contracts.administration.deployment import QueuesTold, TurnQueueStatus
from turnwire_contracts.errors.catalogue import failure
from turnwire_contracts.queries import Refusal
from turnwire_contracts.queues import QUEUES

_NO_ANSWER: Final = Refusal(failure("event_log_unavailable"))


async def turn_queues(jetstream: JetStreamContext) -> QueuesTold | Refusal:
    """Tell of all queues of turns; a refusal where the broker does not."""
    try:
        return QueuesTold([await _status(jetstream, queue.consumer) for queue in QUEUES])
    except (NatsError, JetStreamError, TimeoutError):
        return _NO_ANSWER


async def _status(jetstream: JetStreamContext, name: str) -> TurnQueueStatus:
    info = await jetstream.consumer_info(subjects.TURNS_STREAM, name)
    return TurnQueueStatus(
        name=name,
        waiting=info.num_pending or 0,
        running=info.num_ack_pending or 0,
        redelivered=info.num_redelivered or 0,
        delivered_sequence=(info.delivered.stream_seq or 0) if info.delivered else 0,
    )
