"""An exporter that keeps the spans of a test."""

from turnwire_chassis.telemetry.spans import Span
from turnwire_chassis.telemetry.trace_context import TraceContext


class Kept:
    """An exporter that keeps what it is given."""

    def __init__(self) -> None:
        """Nothing has ended yet."""
        self.spans: list[Span] = []

    def samples(self, trace_id: str, parent: TraceContext | None) -> bool:
        """See `Exporter.samples`: as the client wants it."""
        del trace_id
        return parent is not None and parent.sampled

    def export(self, span: Span) -> None:
        """See `Exporter.export`."""
        self.spans.append(span)
