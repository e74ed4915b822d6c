"""Every answer carries `x-request-id`: the client's own, or a new one; so does every log line."""

import re
import uuid
from time import perf_counter

from msgspec import Struct
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from turnwire_chassis.telemetry.correlation import correlate

HEADER = "x-request-id"
_STARTS = {"http.response.start", "websocket.accept", "websocket.http.response.start"}
_SAFE = re.compile(rb"[A-Za-z0-9._:-]{1,128}")


class Answered(Struct, frozen=True):
    """When an answer began, by `perf_counter`, and its status; 101 of a WebSocket."""

    at: float
    status: int


class RequestIdMiddleware:
    """Pure ASGI: Starlette's own base class would copy every chunk of a stream."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand in front of `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI)."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request_id = _given(scope) or f"req_{uuid.uuid4().hex}"
        scope.setdefault("state", {})["request_id"] = request_id
        name = (HEADER.encode(), request_id.encode())

        async def send_named(message: Message) -> None:
            if message["type"] in _STARTS:
                scope["state"]["answered"] = Answered(perf_counter(), message.get("status", 101))
                message["headers"] = [*message.get("headers", []), name]
            await send(message)

        correlate(request_id=request_id)
        await self._app(scope, receive, send_named)


def _given(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SAFE.fullmatch(value):
            return value.decode()
    return None
