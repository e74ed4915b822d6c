"""Metrics and the span of each request, measured outside of everything that answers it."""

from time import perf_counter
from typing import Final

from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from turnwire_chassis.telemetry import labels, metrics, names, spans, trace_context
from turnwire_chassis.telemetry.correlation import correlate, traceparent
from turnwire_gateway.api.feed import FrameFeed
from turnwire_gateway.api.middleware import ResponseStart

_SERVER_ERROR: Final = 500


class TelemetryMiddleware:
    """Pure ASGI, in front of all others. It does not see what is sent: that would cost each frame.

    What it knows of the answer, `RequestIdMiddleware` has noted.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI)."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        arrived, open_requests = perf_counter(), metrics.HTTP_OPEN()
        scope.setdefault("state", {})["arrived"] = arrived
        correlate(_traceparent(scope))
        open_requests.inc()
        with _span(scope) as span:
            try:
                await self._app(scope, receive, send)
            finally:
                open_requests.dec()
                _ended(scope, span, arrived)


def create_span() -> spans.Span:
    """Begin a create on a WebSocket, whose connection may last for an hour."""
    return spans.arrive(names.SOCKET_CREATE, "SERVER", trace_context.parse(traceparent()))


def reader_left(feed: FrameFeed, *, ended: bool) -> None:
    """Count what a reader of frames was sent, and how that ended."""
    for source, frames in feed.sent.items():
        metrics.FRAMES_SENT(source).inc(frames)
    metrics.STREAMS("finished" if ended else "left").inc()


def route_of(scope: Scope) -> str:
    """Give the template of the route; what has none is one value, whatever its path."""
    route: BaseRoute | None = scope.get("route")
    if route is None:
        # Refused before it was routed: the caller is checked first.
        router = scope.get("app")
        routes: list[BaseRoute] = router.routes if router is not None else []
        route = next((each for each in routes if each.matches(scope)[0] is not Match.NONE), None)
    return str(getattr(route, "path", labels.UNKNOWN_ROUTE))


def _ended(scope: Scope, span: spans.Span, arrived: float) -> None:
    # What breaks down before it answers is answered with 500.
    answered = scope["state"].get("answered") or ResponseStart(perf_counter(), _SERVER_ERROR)
    method, route = _method(scope), route_of(scope)
    metrics.HTTP_REQUESTS(method, route, labels.status_class(answered.status)).inc()
    metrics.HTTP_DURATION(method, route).observe(answered.at - arrived)
    if span.is_recording:
        span.name = names.request(method, route)
        span.set(names.HTTP_METHOD, method)
        span.set(names.HTTP_ROUTE, route)
        span.set(names.HTTP_STATUS, answered.status)
        if answered.status >= _SERVER_ERROR:
            span.fail(str(answered.status))


def _span(scope: Scope) -> spans.Span:
    if scope["type"] == "websocket":
        return spans.NOTHING
    return spans.arrive(scope["method"], "SERVER", trace_context.parse(traceparent()))


def _traceparent(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"traceparent":
            given = value.decode("latin-1")
            return given if trace_context.parse(given) else None
    return None


def _method(scope: Scope) -> str:
    return labels.SOCKET if scope["type"] == "websocket" else labels.method(scope["method"])
