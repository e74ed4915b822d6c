"""A turn's one answer as an HTTP response, and noticing that its client has left."""

from collections.abc import Callable

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from turnwire_chassis.telemetry import labels, metrics
from turnwire_gateway.answers.errors import ApiError, too_large
from turnwire_gateway.answers.feed import Answer
from turnwire_gateway.answers.streaming import send_answer

_UNAUTHORIZED = 401
_SERVER_ERROR = 500


class PlainAnswer(Response):
    """Sends an answer that is ready as bytes."""

    def __init__(self, answer: Answer) -> None:
        """Hold the answer until it is sent."""
        super().__init__()
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send (ASGI)."""
        del scope, receive
        await send_answer(self._answer, send)


def error_response(error: ApiError) -> Response:
    """Answer with an error envelope."""
    metrics.HTTP_ERRORS(labels.code(error.failure.code)).inc()
    status = error.failure.http_status
    headers = {"x-should-retry": "false"} if error.accepted and status >= _SERVER_ERROR else {}
    if error.retry_after_s is not None:
        headers["retry-after"] = str(error.retry_after_s)
    if status == _UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    return Response(
        orjson.dumps(error.body), status, headers=headers, media_type="application/json"
    )


async def read_body(
    request: Request, limit: int, refuse: Callable[[int], ApiError] = too_large
) -> bytes:
    """Read a whole body; raises what `refuse` gives (413) as soon as it is too large."""
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdecimal() and int(announced) > limit:
        raise refuse(limit)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise refuse(limit)
    return bytes(body)


async def gone(request: Request) -> None:
    """Return when the client has left."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
