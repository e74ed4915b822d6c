"""What every handler needs of a request: the caller, the ids in its path, its body; and answers.

A body is read within the caller's limits, decoded, and parsed as a JSON object.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Any, Final, cast

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
from turnwire_contracts.json_repair import repaired_json
from turnwire_contracts.json_values import JSON, mapping
from turnwire_gateway.api.requests.content_encoding import (
    SUPPORTED,
    BrokenBodyError,
    TooLargeBodyError,
    UnknownCodingError,
    codings_in,
    decoded,
)
from turnwire_gateway.auth.caller import Caller
from turnwire_gateway.errors import (
    ApiError,
    body_timeout,
    conversation_not_found,
    invalid,
    response_not_found,
    too_large,
    unknown_coding,
)
from turnwire_gateway.limits.allowances import Sizes
from turnwire_gateway.limits.request_quota import RequestQuota

APPLICATION_HEADER = "x-application-id"
_APPLICATION = re.compile(r"[A-Za-z0-9._:-]{1,128}")

MOST_LEVELS: Final = 100
"""How deep a body may be nested: what reads it later has limits of its own, and would fail."""

_MOST_SHOWN = 100
_BODY_SILENCE_S = 30.0
_ITEMS = ("input", "items")
"""Where requests carry items."""

_TOOLS = ("tools", "functions")
"""Where they carry tools."""

_INNER = {"max_items": "tool_calls", "max_tools": "tools"}
"""What an element may hold several of: a message of chat completions, a namespace."""

NO_LIMITS: Final = Sizes()


def caller(request: Request) -> Caller:
    """Give the caller (`IdentityMiddleware`)."""
    return request.state.caller


def quota(request: Request) -> RequestQuota:
    """Give the request's quota (`LimitMiddleware`)."""
    return request.state.quota


def application(headers: Headers) -> str | None:
    """Read the application whose policy the guard judges by; raises `ApiError` (400)."""
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


def subject_id(request: Request) -> str:
    """Name what a request is about, for the audit log: an id, or the collection of its route."""
    given = next(iter(request.path_params.values()), "")
    if is_response_id(given) or is_conversation_id(given):
        return given
    # Anything else in a path may be anything.
    return "unknown" if given else request.url.path.rpartition("/")[2]


async def fields(request: Request, limit: int, *, optional: bool = False) -> JSON:
    """Read the body, of at most `limit` bytes, as a JSON object; raises `ApiError` (400, 413, 415).

    An empty body is an empty object if it is `optional`.
    """
    sizes = quota(request).sizes
    body = await read_body(request, limit, sizes)
    return {} if optional and not body.strip() else object_of(body, sizes)


def answered(body: Any, status: int = 200) -> Response:
    """Answer with JSON."""
    return Response(orjson.dumps(body), status, media_type="application/json")


async def read_body(
    request: Request, limit: int, sizes: Sizes = NO_LIMITS, silence_s: float = _BODY_SILENCE_S
) -> bytes:
    """Read a whole body, decoded: at most `limit` bytes, and no more than `sizes` allow.

    Raises `ApiError`: 413 as soon as it is too large, 400 for what cannot be decoded, 415 for a
    `Content-Encoding` that is unknown, 408 when nothing comes of it for `silence_s`.
    """
    refusal: Callable[[int], ApiError] = too_large
    if sizes.body_bytes is not None and sizes.body_bytes < limit:
        limit, refusal = sizes.body_bytes, _over_own_limit
    encoded = request.headers.getlist("content-encoding")
    codings = _codings(encoded) if encoded else ()
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdecimal() and int(announced) > limit:
        raise refusal(limit)
    body = bytearray()
    try:
        async with asyncio.timeout(silence_s) as silence:
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise refusal(limit)
                silence.reschedule(asyncio.get_running_loop().time() + silence_s)
    except TimeoutError as error:
        raise body_timeout(silence_s) from error
    return _decoded(bytes(body), codings, limit, refusal) if codings and body else bytes(body)


def object_of(body: bytes, sizes: Sizes = NO_LIMITS) -> JSON:
    """Read a JSON object that keeps within `sizes`; raises `ApiError` (400, 413)."""
    if sizes.body_bytes is not None and len(body) > sizes.body_bytes:
        raise _over_own_limit(sizes.body_bytes)
    levels = MOST_LEVELS if sizes.depth is None else min(sizes.depth, MOST_LEVELS)
    fields = _parsed(body, levels)
    for name in _ITEMS:
        _check_count(fields.get(name), name, sizes.items, "max_items")
    for name in _TOOLS:
        _check_count(fields.get(name), name, sizes.tools, "max_tools")
    return fields


def _codings(encoded: list[str]) -> tuple[str, ...]:
    try:
        return codings_in(encoded)
    except UnknownCodingError as error:
        raise unknown_coding(str(error)[:_MOST_SHOWN], SUPPORTED) from error
    except BrokenBodyError as error:
        raise _undecodable(error) from error


def _decoded(
    body: bytes, codings: tuple[str, ...], limit: int, refusal: Callable[[int], ApiError]
) -> bytes:
    try:
        return decoded(body, codings, limit)
    except TooLargeBodyError as error:
        raise refusal(limit) from error
    except BrokenBodyError as error:
        raise _undecodable(error) from error


def _undecodable(error: BrokenBodyError) -> ApiError:
    return invalid(
        f"The body is not what its Content-Encoding header says: {error}.", "content-encoding"
    )


def _over_own_limit(limit: int) -> ApiError:
    return too_large(limit, "`max_body_bytes` in TURNWIRE_LIMITS")


def _parsed(body: bytes, most_levels: int) -> JSON:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value, body = _repaired(body)
    if not isinstance(value, dict):
        raise invalid("The body must be a JSON object.", None, "invalid_json")
    if _is_too_deep(body, value, most_levels):
        raise invalid(
            f"The body is nested more than {most_levels} levels deep. Send it flatter"
            + (
                "."
                if most_levels == MOST_LEVELS
                else ", or have the operator raise `max_depth` in TURNWIRE_LIMITS."
            ),
            None,
            "invalid_json",
        )
    return mapping(cast("object", value))


def _repaired(body: bytes) -> tuple[Any, bytes]:
    """Read JSON in which text is not Unicode: a bad character costs itself, not the request."""
    try:
        repaired = repaired_json(body)
        return orjson.loads(repaired), repaired
    except orjson.JSONDecodeError as error:
        raise invalid(f"The body is not valid JSON: {error}.", None, "invalid_json") from error


def _is_too_deep(body: bytes, value: Any, most_levels: int) -> bool:
    if body.count(b"[") + body.count(b"{") <= most_levels:
        return False
    level: list[Any] = [value]
    for _ in range(most_levels):
        level = [member for outer in level for member in _members(outer)]
        if not level:
            return False
    return any(_members(outer) is not _NONE for outer in level)


_NONE: Final[list[Any]] = []


def _members(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(cast("dict[str, Any]", value).values())
    return cast("list[Any]", value) if isinstance(value, list) else _NONE


def _check_count(value: object, name: str, most: int | None, setting: str) -> None:
    if most is None or not isinstance(value, list):
        return
    inner = [mapping(each).get(_INNER[setting]) for each in cast("list[Any]", value)]
    count = sum(
        max(1, len(cast("list[Any]", each))) if isinstance(each, list) else 1 for each in inner
    )
    if count > most:
        raise invalid(
            f"`{name}` has {count} elements, and at most {most} are taken. Send fewer, or have the "
            f"operator raise `{setting}` in TURNWIRE_LIMITS.",
            name,
        )
