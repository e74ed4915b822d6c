"""Spans to a collector, by the OpenTelemetry SDK: OTLP over HTTP, from a thread of its own.

Imported only where traces are on: it costs 5 MiB. All that OpenTelemetry calls standard is read by
the SDK from `OTEL_*` (endpoint, headers, sampler, batches, resource).
"""

import logging
import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.environment_variables import OTEL_BSP_SCHEDULE_DELAY
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from turnwire_chassis.telemetry import metrics
from turnwire_chassis.telemetry.sampling import sampler
from turnwire_chassis.telemetry.spans import Span
from turnwire_chassis.telemetry.trace_context import TraceContext

log = structlog.get_logger()

_STOP_WITHIN_S: Final = 1.0
# Of what 1 % of traces cost, most is one request to the collector each: by the SDK's own default
# of 5 s a process would send one for every other span. Full batches leave at once.
_SEND_EVERY_MS: Final = 15_000
_NAMESPACE: Final = "turnwire"


class _GivenIds(IdGenerator):
    """Gives the ids that a span has had since it began: others have been told of them."""

    def __init__(self) -> None:
        self.trace_id = self.span_id = 1

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id


class _Counted(SpanExporter):
    """An exporter whose results are counted."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        outcome = "failed"
        try:
            result = self._exporter.export(spans)
            outcome = "exported" if result is SpanExportResult.SUCCESS else "failed"
        finally:
            metrics.SPANS(outcome).inc(len(spans))
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


class OtlpExporter:
    """`Exporter` to the endpoint that the environment names."""

    def __init__(self, service: str) -> None:
        # Each try that fails would be a line; that a batch is given up is one.
        logging.getLogger("opentelemetry.exporter").setLevel(logging.ERROR)
        # Under what the environment says: `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` win.
        ours = Resource({SERVICE_NAME: f"{_NAMESPACE}-{service}", "service.namespace": _NAMESPACE})
        attributes = {
            name: value
            for name, value in Resource.create().attributes.items()
            if name != SERVICE_NAME or not str(value).startswith("unknown_service")
        }
        resource = ours.merge(Resource(attributes))
        self.samples = sampler(os.environ).samples
        """See `Exporter.samples`."""
        self._ids = _GivenIds()
        self._sender = OTLPSpanExporter()
        delay = None if os.environ.get(OTEL_BSP_SCHEDULE_DELAY) else _SEND_EVERY_MS
        self._processor = BatchSpanProcessor(_Counted(self._sender), schedule_delay_millis=delay)
        provider = TracerProvider(
            sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False, id_generator=self._ids
        )
        provider.add_span_processor(self._processor)
        self._tracer = provider.get_tracer(_NAMESPACE)

    def export(self, span: Span) -> None:
        """See `Exporter.export`."""
        self._ids.trace_id, self._ids.span_id = int(span.trace_id, 16), int(span.span_id, 16)
        above = None
        if span.parent_id:
            parent = TraceContext(span.trace_id, span.parent_id, sampled=True)
            above = set_span_in_context(NonRecordingSpan(_context(parent)))
        made = self._tracer.start_span(
            span.name,
            above,
            SpanKind[span.kind],
            span.attributes,
            [Link(_context(each)) for each in span.links],
            span.started,
        )
        if span.error:
            made.set_status(StatusCode.ERROR)
        made.end(span.ended)

    def stop(self) -> None:
        """Send what is left, as far as that is done within a second."""
        # The SDK would wait for half a minute, and its requests for ten seconds each.
        stopping = threading.Thread(target=self._stop, daemon=True)
        stopping.start()
        stopping.join(_STOP_WITHIN_S)
        if stopping.is_alive():
            # Ends the wait between two tries at once; what is left fails, and the threads end.
            self._sender.shutdown()

    def _stop(self) -> None:
        with suppress(Exception):
            self._processor.shutdown()


def _context(where: TraceContext) -> SpanContext:
    return SpanContext(
        int(where.trace_id, 16),
        int(where.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED if where.sampled else TraceFlags.DEFAULT),
    )
