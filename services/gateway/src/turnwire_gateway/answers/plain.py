"""A turn's one answer as an HTTP response, and noticing that its client has left."""

from collections.abc import Callable

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from turnwire_chassis.telemetry import labels, metrics
from turnwire_gateway.answers.errors import ApiError, invalid, too_large, unknown_coding
from turnwire_gateway.answers.feed import Answer
from turnwire_gateway.answers.streaming import send_answer
from turnwire_gateway.requests.content_encoding import (
    SUPPORTED,
    BrokenBodyError,
    TooLargeBodyError,
    UnknownCodingError,
    codings_in,
    decoded,
)

_UNAUTHORIZED = 401
_SERVER_ERROR = 500
_MOST_SHOWN = 100


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
    headers = dict(error.headers)
    if error.accepted and status >= _SERVER_ERROR:
        headers["x-should-retry"] = "false"
    if error.retry_after_s is not None:
        headers["retry-after"] = str(error.retry_after_s)
    if status == _UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    return Response(
        orjson.dumps(error.body), status, headers=headers, media_type="application/json"
    )


async def refuse(error: ApiError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with an error envelope, on a WebSocket before it opens (ASGI)."""
    answer = error_response(error)
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).send_denial_response(answer)
    else:
        await answer(scope, receive, send)


async def read_body(
    request: Request, limit: int, too_large: Callable[[int], ApiError] = too_large
) -> bytes:
    """Read a whole body, decoded; raises what `too_large` gives (413) as soon as it is too large.

    Raises `ApiError`: 400 for what cannot be decoded, 415 for a `Content-Encoding` that is unknown.
    """
    encoded = request.headers.getlist("content-encoding")
    codings = _codings(encoded) if encoded else ()
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdecimal() and int(announced) > limit:
        raise too_large(limit)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise too_large(limit)
    return _decoded(bytes(body), codings, limit, too_large) if codings and body else bytes(body)


def _codings(encoded: list[str]) -> tuple[str, ...]:
    try:
        return codings_in(encoded)
    except UnknownCodingError as error:
        raise unknown_coding(str(error)[:_MOST_SHOWN], SUPPORTED) from error
    except BrokenBodyError as error:
        raise _undecodable(error) from error


def _decoded(
    body: bytes, codings: tuple[str, ...], limit: int, too_large: Callable[[int], ApiError]
) -> bytes:
    try:
        return decoded(body, codings, limit)
    except TooLargeBodyError as error:
        raise too_large(limit) from error
    except BrokenBodyError as error:
        raise _undecodable(error) from error


def _undecodable(error: BrokenBodyError) -> ApiError:
    return invalid(
        f"The body is not what its Content-Encoding header says: {error}.", "content-encoding"
    )


async def gone(request: Request) -> None:
    """Return when the client has left."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
