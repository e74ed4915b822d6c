"""A collector for tests: takes OTLP over HTTP in a thread, and knows every span that came."""

import gzip
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from turnwire_testing.waiting import eventually

_KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
_ERROR = 2


@dataclass(frozen=True)
class Told:
    """One span as it came."""

    service: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    start: int
    end: int
    failed: bool
    attributes: dict[str, Any]
    links: list[tuple[str, str]]
    """Of each linked span its trace and its id."""


@dataclass
class Collector:
    """What was sent."""

    url: str = ""
    status: int = 200
    """What it answers."""
    bodies: list[bytes] = field(default_factory=list[bytes])
    """As they were, but for compression."""
    spans: list[Told] = field(default_factory=list[Told])

    def take(self, body: bytes) -> None:
        """Keep what a service has sent."""
        self.bodies.append(body)
        self.spans += _spans(ExportTraceServiceRequest.FromString(body))

    def of(self, trace_id: str) -> list[Told]:
        """Give the spans of one trace, in the order in which they began."""
        return sorted((s for s in self.spans if s.trace_id == trace_id), key=lambda s: s.start)

    async def until(self, is_true: Callable[[], bool]) -> None:
        """Wait until what was told makes it true."""

        async def holds() -> bool:
            return is_true()

        await eventually(holds, 20.0)


@contextmanager
def collecting() -> Generator[Collector]:
    """Run a collector."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            if collector.status == 200:
                collector.take(body)
            self.send_response(collector.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the name it has
            """Say nothing."""
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()


def _spans(request: Any) -> list[Told]:
    return [
        Told(
            service=_values(resource.resource.attributes).get("service.name", ""),
            name=span.name,
            kind=_KINDS[int(span.kind)],
            trace_id=span.trace_id.hex(),
            span_id=span.span_id.hex(),
            parent_id=span.parent_span_id.hex(),
            start=span.start_time_unix_nano,
            end=span.end_time_unix_nano,
            failed=span.status.code == _ERROR,
            attributes=_values(span.attributes),
            links=[(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
        )
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _values(attributes: Any) -> dict[str, Any]:
    return {each.key: _value(each.value) for each in attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    return getattr(value, kind)
