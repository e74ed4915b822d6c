"""The OpenAPI document of the gateway: put together once, from types and tables. Pure."""

from importlib.metadata import version

from turnwire_contracts.json_values import JSON
from turnwire_gateway.openapi.operations import conversations, responses, surroundings
from turnwire_gateway.openapi.operations.operation import LIMIT_HEADERS, Operation, described
from turnwire_gateway.openapi.schemas.components import schemas

OPERATIONS: tuple[Operation, ...] = (
    *responses.OPERATIONS,
    *conversations.CONVERSATIONS,
    *conversations.ITEMS,
    *surroundings.OPERATIONS,
)

_ABOUT = """
Turnwire keeps the state of the Responses API in front of any inference backend: conversations,
instructions that carry forward, streams that can be read again, background work.

**Tolerance.** Unknown fields, explicit nulls, messages without `type` and unknown kinds of tools
never fail a request; a wrong value of a known field is refused with 400 and its name in `param`.

**Errors** are all `{"error": {"message", "type", "param", "code"}}`. Compare codes, not messages.

**Paths** answer with and without `/v1`, with a slash at their end or none, and to `HEAD` wherever
there is `GET`. **Bodies** may have a `Content-Encoding`: `gzip`, `deflate`, `zstd`.

**Streams** are server-sent events: `event:` is the event's type, `data:` its JSON, described here
as `StreamEvent`. Comments keep a quiet stream alive. A stream ends with exactly one of
`response.completed`, `response.incomplete`, `response.failed` or `error`, and then
`data: [DONE]`.
"""

_TAGS = {
    "Responses": "Ask a model, and all that can be done with what it said.",
    "Conversations": "Turns that belong together, with metadata of their own.",
    "Guardrails": "What the operator's policy says of content.",
    "Models": "What the backends serve.",
    "Operations": "For those who run it.",
}


def document() -> JSON:
    """Give the document, as OpenAPI 3.1."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Turnwire",
            "summary": "A Stateful Responses API for any inference backend.",
            "description": _ABOUT.strip(),
            "version": version("turnwire-gateway"),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "This server."}],
        "security": [{"bearer": []}, {}],
        "tags": [{"name": name, "description": what} for name, what in _TAGS.items()],
        "paths": _paths(),
        "components": {
            "schemas": schemas(),
            "parameters": {
                "Idempotency-Key": _idempotency_key(),
                "x-application-id": _application(),
            },
            "headers": _headers(),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key, or a token of the OIDC issuer. While neither is "
                    "configured, any token or none will do.",
                }
            },
        },
    }


def _paths() -> JSON:
    paths: dict[str, JSON] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = described(operation)
    return paths


def _idempotency_key() -> JSON:
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "The same key and body give the same turn; with another body it is 409.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    }


def _application() -> JSON:
    return {
        "name": "x-application-id",
        "in": "header",
        "description": "Whose policy the guard judges by; without it, the default one.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,128}$"},
    }


def _headers() -> JSON:
    return {
        "x-request-id": {
            "description": "The client's own, or a new one; every log line of the request has it.",
            "required": True,
            "schema": {"type": "string"},
        },
        "x-should-retry": {
            "description": "`false`: the turn exists, so sending it again would run it twice.",
            "schema": {"const": "false"},
        },
        "www-authenticate": {
            "description": "How to say who is calling.",
            "required": True,
            "schema": {"const": "Bearer"},
        },
        "accept-encoding": {
            "description": "The codings that a request's body may have.",
            "required": True,
            "schema": {"type": "string"},
        },
        "retry-after": {
            "description": "In how many seconds it may go better.",
            "schema": {"type": "integer", "minimum": 1},
        },
        **{name: _limit_header(about) for name, about in LIMIT_HEADERS.items()},
    }


def _limit_header(about: str) -> JSON:
    description = f"{about} Only where the operator has set such a limit."
    return {"description": description, "schema": {"type": "string"}}
