"""One turn as it is told to operators while this process owns it: its metrics and its span."""

import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from functools import partial
from typing import Final

import orjson
from msgspec import Struct

from turnwire_chassis.telemetry import labels, metrics, names, spans, trace_context
from turnwire_chassis.telemetry.correlation import correlate
from turnwire_chassis.telemetry.trace_context import TraceContext
from turnwire_contracts.events import Item, Requested
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.wire.frames import FrameMessage
from turnwire_contracts.wire.texts import spoken

_REQUESTED: Final = names.event_of("requested")
_NS_A_MS: Final = 1_000_000


class Owner(Struct, frozen=True):
    """Who works on a turn, as far as it is told."""

    attempt: int
    """How often the broker has given it out."""
    epoch: int
    """Counts the owners, from 1."""


def lane_of(request: Requested) -> str:
    """Name the lane of a turn: they are measured apart, as background turns may wait."""
    return "background" if request.background else "foreground"


@contextmanager
def session(request: Requested, owner: Owner) -> Generator[spans.Span]:
    """Count a turn that is in work here, and trace what is done for it."""
    lane, now_ms = lane_of(request), time.time_ns() // _NS_A_MS
    if owner.attempt > 1:
        metrics.REDELIVERIES(lane).inc()
    else:
        metrics.QUEUE_WAIT(lane).observe(max(0, now_ms - request.at) / 1000)
    in_work = metrics.TURNS_OPEN(lane)
    in_work.inc()
    try:
        with _span(request, owner) as span:
            yield span
    finally:
        in_work.dec()


def closed(
    span: spans.Span, turn: ClosedTurn, sent: Iterable[FrameMessage], *, content: bool
) -> None:
    """Count a turn that was closed here, and the frames that were published of it.

    `content`: the operator wants what was said on the span.
    """
    end, lane = turn.closed, lane_of(turn.request)
    code = labels.code(end.failure.code if end.failure else end.incomplete_reason)
    metrics.TURNS(lane, end.status, code).inc()
    metrics.TURN_DURATION(lane).observe(max(0, end.at - turn.request.at) / 1000)
    metrics.FRAMES_PUBLISHED().inc(sum(message.count for message in sent))
    if not span.is_recording:
        return
    span.set(names.STATUS, end.status)
    if end.status == "failed":
        span.fail(code)
    if content and not end.withheld and end.stored:
        span.set(names.GEN_AI_INPUT, _messages(turn.request.input))
        span.set(names.GEN_AI_OUTPUT, _messages(end.output))


def _span(request: Requested, owner: Owner) -> spans.Span:
    """Begin the span of one owner; that of the one before is linked, as it is over."""
    parent = trace_context.parse(request.traceparent)
    correlate(request.traceparent, request.cause, request.response_id)
    if parent is None or spans.TRACING.exporter is None:
        return spans.NOTHING
    seed = _seed(parent, request, owner.epoch)
    span = spans.enter(names.processed(_REQUESTED), "CONSUMER", parent, seed)
    spans.messaging(span, "process", _REQUESTED)
    if owner.epoch > 1:
        span.keep()
        previous_span = spans.derived_id(_seed(parent, request, owner.epoch - 1))
        span.links = [TraceContext(parent.trace_id, previous_span, parent.sampled)]
    elif span.kept:
        # Exported at once: this owner may die.
        _queue(span, request)
    span.describe = partial(_describe, request, owner, was_kept=span.kept)
    return span


def _queue(above: spans.Span, request: Requested) -> None:
    """Trace the time between the request and its first owner."""
    queue = spans.begin(names.QUEUE, above=above)
    queue.started = request.at * _NS_A_MS
    queue.end(above.started)


def _describe(request: Requested, owner: Owner, span: spans.Span, *, was_kept: bool) -> None:
    span.set(names.GEN_AI_RESPONSE, request.response_id)
    span.set(names.GEN_AI_PREVIOUS, request.previous_response_id)
    span.set(names.GEN_AI_CONVERSATION, request.conversation)
    span.set(names.REQUEST_ID, request.cause)
    span.set(names.LANE, lane_of(request))
    span.set(names.ATTEMPT, owner.attempt)
    span.set(names.TAKEOVER, owner.epoch > 1 or None)
    if not was_kept:
        _queue(span, request)


def _seed(parent: TraceContext, request: Requested, epoch: int) -> str:
    """Name an owner, whose span's id is derived so that the next one links it: it may be dead."""
    return f"{parent.trace_id} {request.response_id} {epoch}"


def _messages(items: list[Item]) -> str:
    """Write messages as the GenAI conventions do."""
    messages = [
        {"role": said.role, "parts": [{"type": "text", "content": said.text}]}
        for said in spoken(items)
    ]
    return orjson.dumps(messages).decode()
