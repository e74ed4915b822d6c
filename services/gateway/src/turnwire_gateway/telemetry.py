"""What is told of each request, outside of everything that answers it: metrics, and its span."""

from time import perf_counter
from typing import Final

from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from turnwire_chassis.telemetry import labels, metrics, names, spans, trace_context
from turnwire_chassis.telemetry.correlation import correlate, traceparent
from turnwire_gateway.answers.feed import Feed

_SSE: Final = b"text/event-stream"
_SERVER_ERROR: Final = 500


class Exchange:
    """One request and its answer, as far as times and statuses go."""

    def __init__(self) -> None:
        """It has just arrived."""
        self.arrived = perf_counter()
        self.answered = 0.0
        self.status = 500
        """Whoever breaks down before it answers is answered with that."""
        self._streams = False
        self._writes = 0
        self._first = self._last = self._longest = 0.0

    def sends(self, message: Message) -> None:
        """Take note of what leaves; called for every frame, so it does next to nothing."""
        now = perf_counter()
        if message["type"] == "http.response.body":
            if self._streams:
                self._write(now)
        elif not self.answered:
            self.answered = now
            self.status = message.get("status", 101)
            self._streams = any(
                name == b"content-type" and value.startswith(_SSE)
                for name, value in message.get("headers", ())
            )

    def ended(self, method: str, route: str) -> None:
        """Count it."""
        answered = self.answered or perf_counter()
        metrics.HTTP_REQUESTS(method, route, labels.status_class(self.status)).inc()
        metrics.HTTP_DURATION(method, route).observe(answered - self.arrived)
        if self._writes:
            metrics.FIRST_FRAME(method).observe(self._first - self.arrived)
        if self._writes > 1:
            mean = (self._last - self._first) / (self._writes - 1)
            metrics.FRAME_INTERVAL().observe(mean)
            metrics.LONGEST_PAUSE().observe(self._longest)

    def _write(self, now: float) -> None:
        if self._writes:
            self._longest = max(self._longest, now - self._last)
        else:
            self._first = now
        self._last = now
        self._writes += 1


class TelemetryMiddleware:
    """Pure ASGI, in front of all that may refuse: what is refused is counted too."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand in front of `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI)."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        exchange, open_requests = Exchange(), metrics.HTTP_OPEN()

        async def send_noted(message: Message) -> None:
            exchange.sends(message)
            await send(message)

        correlate(_traceparent(scope), scope["state"]["request_id"])
        open_requests.inc()
        with _span(scope) as span:
            try:
                await self._app(scope, receive, send_noted)
            finally:
                open_requests.dec()
                method, route = _method(scope), route_of(scope)
                exchange.ended(method, route)
                _describe(span, method, route, exchange.status)


def create_span() -> spans.Span:
    """Begin a create on a WebSocket, whose connection may last for an hour."""
    return spans.arrive(names.SOCKET_CREATE, "SERVER", trace_context.parse(traceparent()))


def reader_left(feed: Feed, *, ended: bool) -> None:
    """Count what a reader of frames was sent, and how that ended."""
    for source, frames in feed.sent.items():
        metrics.FRAMES_SENT(source).inc(frames)
    metrics.STREAMS("finished" if ended else "left").inc()


def route_of(scope: Scope) -> str:
    """Give the template of the route; what has none is one value, whatever its path."""
    route: BaseRoute | None = scope.get("route")
    if route is None:
        # Refused before it was routed: who asks is looked at first.
        router = scope.get("app")
        routes: list[BaseRoute] = router.routes if router is not None else []
        route = next((each for each in routes if each.matches(scope)[0] is not Match.NONE), None)
    return str(getattr(route, "path", labels.UNKNOWN_ROUTE))


def _span(scope: Scope) -> spans.Span:
    if scope["type"] == "websocket":
        return spans.NOTHING
    return spans.arrive(scope["method"], "SERVER", trace_context.parse(traceparent()))


def _describe(span: spans.Span, method: str, route: str, status: int) -> None:
    if span.is_recording:
        span.name = names.request(method, route)
        span.set(names.HTTP_METHOD, method)
        span.set(names.HTTP_ROUTE, route)
        span.set(names.HTTP_STATUS, status)
        if status >= _SERVER_ERROR:
            span.fail(str(status))


def _traceparent(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"traceparent":
            given = value.decode("latin-1")
            return given if trace_context.parse(given) else None
    return None


def _method(scope: Scope) -> str:
    return labels.SOCKET if scope["type"] == "websocket" else labels.method(scope["method"])
