"""Whatever is raised while a request is handled, as an answer with the one envelope."""

from http import HTTPStatus
from typing import cast

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from turnwire_contracts.events import Failure
from turnwire_gateway.answers.errors import ApiError, internal_error
from turnwire_gateway.answers.plain import error_response

log = structlog.get_logger()


def add_fault_handlers(app: Starlette) -> None:
    """Answer for everything that handlers and the framework raise."""
    app.add_exception_handler(ApiError, _on_api_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    # What stands outside of it (request id, CORS) has its say on this answer as on all others.
    app.add_middleware(ServerErrorMiddleware, handler=_on_fault)


async def _on_api_error(_: Request, error: Exception) -> Response:
    return error_response(cast("ApiError", error))


async def _on_http_error(request: Request, error: Exception) -> Response:
    """Say the framework's own errors (unknown path, wrong method) in the one envelope."""
    said = cast("HTTPException", error)
    answer = error_response(
        ApiError(
            Failure(
                http_status=said.status_code,
                type="invalid_request_error",
                code="unknown_url" if said.status_code == HTTPStatus.NOT_FOUND else "http_error",
                message=f"{request.method} {request.url.path}: {said.detail}.",
            )
        )
    )
    if said.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
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


async def _on_fault(_: Request, error: Exception) -> Response:
    """Say a fault of our own; nothing of it is told outside, all of it is logged."""
    log.error("request failed", exc_info=error)
    return error_response(internal_error())
