"""One turn as it is measured while this process owns it."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager

from turnwire_chassis.telemetry import labels, metrics
from turnwire_contracts.events import Requested
from turnwire_contracts.turn import ClosedTurn
from turnwire_contracts.wire.frames import FrameMessage


def lane_of(request: Requested) -> str:
    """Name the lane of a turn: they are measured apart, as background turns may wait."""
    return "background" if request.background else "foreground"


@contextmanager
def owned(request: Requested, attempt: int, now_ms: int) -> Generator[None]:
    """Count a turn that is in work here."""
    lane = lane_of(request)
    if attempt > 1:
        metrics.REDELIVERIES(lane).inc()
    else:
        metrics.QUEUE_WAIT(lane).observe(max(0, now_ms - request.at) / 1000)
    in_work = metrics.TURNS_OPEN(lane)
    in_work.inc()
    try:
        yield
    finally:
        in_work.dec()


def closed(turn: ClosedTurn, sent: Iterable[FrameMessage]) -> None:
    """Count a turn that was closed here, and the frames that were published of it."""
    end, lane = turn.closed, lane_of(turn.request)
    code = end.failure.code if end.failure else end.incomplete_reason
    metrics.TURNS(lane, end.status, labels.code(code)).inc()
    metrics.TURN_DURATION(lane).observe(max(0, end.at - turn.request.at) / 1000)
    metrics.FRAMES_PUBLISHED().inc(sum(message.count for message in sent))
