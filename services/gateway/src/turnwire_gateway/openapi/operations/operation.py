"""One operation, and how it is said in OpenAPI."""

from collections import defaultdict

from msgspec import Struct

from turnwire_contracts.json_values import JSON
from turnwire_gateway.openapi.error_codes import BACKEND_REFUSED, ERROR_CODES, ErrorCode, reason
from turnwire_gateway.openapi.schemas.components import ref

_EVERY = ("host_not_allowed", "origin_not_allowed", "internal_error")
_OF_CALLERS = ("invalid_api_key", "identity_unavailable")
_SERVER_ERROR = 500
_BAD_REQUEST = 400
_UNAUTHORIZED = 401
_UNSUPPORTED = 415
_TOO_MANY = 429
_UNAVAILABLE = 503

LIMIT_HEADERS = {
    "x-ratelimit-limit-requests": "Requests per minute that the caller may make.",
    "x-ratelimit-remaining-requests": "Requests that are left in this minute.",
    "x-ratelimit-reset-requests": "When all of them are, such as `8.26s` or `1m0s`.",
    "x-ratelimit-limit-tokens": "Tokens per minute that the caller's turns may cost.",
    "x-ratelimit-remaining-tokens": "Tokens that are left in this minute.",
    "x-ratelimit-reset-tokens": "When all of them are.",
}
"""OpenAI's headers, and what they say."""


BODY_ERRORS = (
    "invalid_json",
    "missing_required_parameter",
    "invalid_value",
    "request_too_large",
    "unsupported_content_encoding",
)
"""What can be wrong with any body."""


class Body(Struct, frozen=True):
    """The body that an operation takes, by the name of its schema."""

    schema: str
    required: bool = True


class Answer(Struct, frozen=True):
    """One good answer."""

    status: int
    schema: str
    what: str
    streams: bool = False
    """Whether it may be a stream of events instead."""
    links: tuple[tuple[str, str], ...] = ()
    """Operations that take the `id` in the answer, and the parameter that takes it."""


class Operation(Struct, frozen=True, kw_only=True):
    """One method of one path."""

    id: str
    method: str
    path: str
    tag: str
    summary: str
    description: str = ""
    parameters: tuple[JSON, ...] = ()
    body: Body | None = None
    answers: tuple[Answer, ...]
    errors: tuple[str, ...] = ()
    """The codes it may answer with, beyond those of a fault."""
    asks_backend: bool = False
    """Whether the backend may refuse it, with a status of its own."""
    counts: bool = False
    """Whether it counts as a request where there are limits."""
    open: bool = False
    """Whether it needs no credentials."""


def described(operation: Operation) -> JSON:
    """Write an operation object."""
    said: JSON = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": list(operation.parameters),
        "responses": {
            **{str(answer.status): _answer(operation, answer) for answer in operation.answers},
            **_errors(operation),
        },
    }
    if operation.description:
        said["description"] = operation.description
    if operation.body is not None:
        said["requestBody"] = {
            "required": operation.body.required,
            "content": {"application/json": {"schema": ref(operation.body.schema)}},
        }
    if operation.open:
        said["security"] = []
    return said


def _answer(operation: Operation, answer: Answer) -> JSON:
    content: JSON = {"application/json": {"schema": ref(answer.schema)}}
    if answer.streams:
        content["text/event-stream"] = {"schema": ref("StreamEvent")}
    said: JSON = {
        "description": answer.what,
        "headers": _headers(operation, answer.status),
        "content": content,
    }
    if answer.links:
        said["links"] = {
            name: {"operationId": name, "parameters": {taker: "$response.body#/id"}}
            for name, taker in answer.links
        }
    return said


def _errors(operation: Operation) -> JSON:
    by_status: defaultdict[int, list[ErrorCode]] = defaultdict(list)
    of_callers = () if operation.open else _OF_CALLERS
    for name in (*operation.errors, *of_callers, *_EVERY):
        code = ERROR_CODES[name]
        for status in code.statuses:
            by_status[status].append(code)
    taken = {answer.status for answer in operation.answers}
    said = {
        str(status): _error(operation, reason(status), status, codes)
        for status, codes in sorted(by_status.items())
        if status not in taken
    }
    if operation.asks_backend:
        said["4XX"] = _error(operation, "Another refusal of the backend", 0, [BACKEND_REFUSED])
    return said


def _error(operation: Operation, title: str, status: int, codes: list[ErrorCode]) -> JSON:
    return {
        "description": f"{title}: " + ", ".join(f"`{code.name}`" for code in codes) + ".",
        "headers": _headers(operation, status),
        "content": {
            "application/json": {
                "schema": ref("ErrorEnvelope"),
                "examples": {code.name: _example(code, status) for code in codes},
            }
        },
    }


def _example(code: ErrorCode, status: int) -> JSON:
    kind = "server_error" if status >= _SERVER_ERROR else "invalid_request_error"
    kind = "too_many_requests" if status == _TOO_MANY else kind
    error: JSON = {"message": code.what, "type": kind, "param": None, "code": code.name}
    return {"summary": code.what, "value": {"error": error}}


def _headers(operation: Operation, status: int) -> JSON:
    names = ["x-request-id"]
    if status == _UNAUTHORIZED:
        names.append("www-authenticate")
    if status == _UNSUPPORTED:
        names.append("accept-encoding")
    if status in (_TOO_MANY, _UNAVAILABLE):
        names.append("retry-after")
    if operation.counts and (0 < status < _BAD_REQUEST or status == _TOO_MANY):
        names += LIMIT_HEADERS
    if status >= _SERVER_ERROR:
        names.append("x-should-retry")
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
