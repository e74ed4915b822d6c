"""How long turns wait for a place: as metrics, and as gateways are told it."""

from collections.abc import Sequence

from turnwire_chassis.jetstream.inbox_watch import QueueLength
from turnwire_chassis.telemetry import metrics
from turnwire_contracts.notices.queue_state import LevelState, QueueState


def measure(lane: str, lengths: Sequence[QueueLength]) -> None:
    """Set the metrics of a lane, all levels together."""
    metrics.INBOX_LAG(lane).set(sum(length.waiting for length in lengths))
    metrics.INBOX_UNCONFIRMED(lane).set(sum(length.unconfirmed for length in lengths))


def queue_state(
    orchestrator: str, lengths: Sequence[QueueLength], free: int, background_free: int
) -> QueueState:
    """Give what gateways are told of the foreground queues, and orchestrators of free places."""
    return QueueState(
        orchestrator,
        [
            LevelState(length.waiting, length.held, length.oldest_s, length.starts_per_s)
            for length in lengths
        ],
        free,
        background_free,
    )
