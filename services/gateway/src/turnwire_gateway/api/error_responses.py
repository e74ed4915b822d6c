"""Errors as HTTP responses with the one envelope, whatever raised them."""

from http import HTTPStatus
from typing import cast

import orjson
import structlog
from msgspec.structs import replace
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from turnwire_chassis.telemetry import labels, metrics
from turnwire_contracts.errors.catalogue import failure
from turnwire_gateway.errors import ApiError, internal_error

log = structlog.get_logger()

_UNAUTHORIZED = 401
_SERVER_ERROR = 500


def error_response(error: ApiError) -> Response:
    """Answer with an error envelope."""
    metrics.HTTP_ERRORS(labels.code(error.failure.code)).inc()
    status = error.failure.http_status
    headers = dict(error.headers)
    if error.retry_after_s is not None:
        headers["retry-after"] = str(error.retry_after_s)
    elif status >= _SERVER_ERROR and not error.may_be_repeated:
        headers["x-should-retry"] = "false"
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


def add_exception_handlers(app: Starlette) -> None:
    """Answer for everything that handlers and the framework raise."""
    app.add_exception_handler(ApiError, _on_api_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    # Outer middleware (request id, CORS) adds its headers to this answer as to all others.
    app.add_middleware(ServerErrorMiddleware, handler=_on_internal_error)


async def _on_api_error(_: Request, error: Exception) -> Response:
    return error_response(cast("ApiError", error))


async def _on_http_error(request: Request, error: Exception) -> Response:
    """Write the framework's own errors (unknown path, wrong method) in the one envelope."""
    http_error = cast("HTTPException", error)
    code = "unknown_url" if http_error.status_code == HTTPStatus.NOT_FOUND else "http_error"
    message = f"{request.method} {request.url.path}: {http_error.detail}."
    answer = error_response(
        ApiError(replace(failure(code, message), http_status=http_error.status_code))
    )
    if http_error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        answer.headers["Allow"] = ", ".join(sorted(_methods_at(request)))
    return answer


def _methods_at(request: Request) -> set[str]:
    """Give the methods that a path has; Starlette names those of one route only.

    A route of its own is all that a path has, though a pattern may match it as well.
    """
    routes = cast("Starlette", request.app).routes
    matching = (route for route in routes if route.matches(request.scope)[0] is Match.PARTIAL)
    same_path = [cast("Route", route) for route in matching]
    own = [route for route in same_path if route.path == request.url.path]
    methods = {method for route in own or same_path for method in route.methods or ()}
    return methods | ({"HEAD"} if "GET" in methods else set())


async def _on_internal_error(_: Request, error: Exception) -> Response:
    """Answer a fault of the gateway with `internal_error`; all of it is logged."""
    log.error("request failed", exc_info=error)
    return error_response(internal_error())
