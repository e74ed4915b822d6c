"""Headers of answers, as the OpenAPI document describes them."""

from http import HTTPStatus
from typing import Final

from turnwire_contracts.json_values import JSON
from turnwire_gateway.limits.headers import HEADER_NAMES

_TEXT: Final = {"type": "string"}
_LIMITS: Final = (
    "Requests per minute that the caller may make.",
    "Requests that are left in this minute.",
    "When all of them are, such as `8.26s` or `1m0s`.",
    "Tokens per minute that the caller's turns may cost.",
    "Tokens that are left in this minute.",
    "When all of them are.",
)
"""What OpenAI's headers about limits say."""


def _header(description: str, schema: JSON, *, required: bool = False) -> JSON:
    return {"description": description, "required": required, "schema": schema}


HEADERS: Final[dict[str, JSON]] = {
    "x-request-id": _header(
        "The client's own, or a new one; every log line of the request has it.",
        _TEXT,
        required=True,
    ),
    "x-should-retry": _header(
        "`false`: a repeated request would fail again, or run a turn twice.", {"const": "false"}
    ),
    "www-authenticate": _header("How to say who is calling.", {"const": "Bearer"}, required=True),
    "accept-encoding": _header("The codings that a request's body may have.", _TEXT, required=True),
    "retry-after": _header(
        "In how many seconds it may go better.", {"type": "integer", "minimum": 1}
    ),
    **{
        name: _header(f"{about} Only where the operator has set such a limit.", _TEXT)
        for name, about in zip(HEADER_NAMES, _LIMITS, strict=True)
    },
}

_BY_STATUS: Final = {
    HTTPStatus.UNAUTHORIZED: ("www-authenticate",),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: ("accept-encoding",),
    HTTPStatus.TOO_MANY_REQUESTS: ("retry-after",),
    HTTPStatus.SERVICE_UNAVAILABLE: ("retry-after",),
}
_COUNTED: Final = (HTTPStatus.OK, HTTPStatus.ACCEPTED, HTTPStatus.TOO_MANY_REQUESTS)


def headers_of(status: int, *, is_limited: bool) -> list[str]:
    """Name the headers of an answer; `is_limited`: whether there may be limits for its route."""
    names = ["x-request-id"]
    if status in _BY_STATUS:
        names += _BY_STATUS[HTTPStatus(status)]
    if is_limited and status in _COUNTED:
        names += HEADER_NAMES
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        names.append("x-should-retry")
    return names
