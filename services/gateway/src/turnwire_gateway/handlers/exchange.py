"""What every handler needs of a request: who asks, the ids in its path, its body; and answers."""

import re
from typing import Any

import orjson
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from turnwire_contracts.ids import (
    ConversationId,
    ResponseId,
    is_conversation_id,
    is_response_id,
)
from turnwire_contracts.json_values import JSON
from turnwire_gateway.answers.errors import conversation_not_found, invalid, response_not_found
from turnwire_gateway.identity import Caller
from turnwire_gateway.limiting.visit import Visit

APPLICATION_HEADER = "x-application-id"
_APPLICATION = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def caller(request: Request) -> Caller:
    """Tell who asks (`IdentityMiddleware`)."""
    return request.state.caller


def visit(request: Request) -> Visit:
    """Give what the request is let in with (`LimitMiddleware`)."""
    return request.state.visit


def application(headers: Headers) -> str | None:
    """Read whose policy the guard judges by; raises `ApiError` (400)."""
    given = headers.get(APPLICATION_HEADER)
    if given is not None and not _APPLICATION.fullmatch(given):
        raise invalid(
            f"Invalid value for '{APPLICATION_HEADER}': must have 1 to 128 characters of letters, "
            "digits and `. _ : -`.",
            APPLICATION_HEADER,
        )
    return given


def request_id(request: Request) -> str:
    """Give the `x-request-id`: what events name as their cause."""
    return request.state.request_id


def response_id(request: Request) -> ResponseId:
    """Read the response id in the path; raises `ApiError` (404) for what can be none."""
    given = request.path_params["response_id"]
    if not is_response_id(given):
        raise response_not_found(given)
    return ResponseId(given)


def conversation_id(request: Request) -> ConversationId:
    """Read the conversation id in the path; raises `ApiError` (404) for what can be none."""
    given = request.path_params["conversation_id"]
    if not is_conversation_id(given):
        raise conversation_not_found(given)
    return ConversationId(given)


def named(request: Request) -> str:
    """Name what a request is about, for the audit log: an id, or the collection of its route."""
    given = next(iter(request.path_params.values()), "")
    if is_response_id(given) or is_conversation_id(given):
        return given
    # Whatever else stands in a path may be anything.
    return "unknown" if given else request.url.path.rpartition("/")[2]


async def fields(request: Request, limit: int, *, optional: bool = False) -> JSON:
    """Read the body as a JSON object; raises `ApiError`."""
    sizes = visit(request).sizes
    body = await sizes.body_of(request, limit)
    return {} if optional and not body.strip() else sizes.object_of(body)


def answered(body: Any, status: int = 200) -> Response:
    """Answer with JSON."""
    return Response(orjson.dumps(body), status, media_type="application/json")
