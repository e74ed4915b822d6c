"""The OpenAPI document: FastAPI writes it from the declared routes, with what it does not know."""

from functools import cache
from importlib.metadata import version
from typing import Final

from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from turnwire_contracts.errors.catalogue import CATALOGUE
from turnwire_contracts.errors.error_code import ErrorCode
from turnwire_contracts.json_values import JSON
from turnwire_gateway.openapi import (
    branch_operations,
    conversation_operations,
    deployment_operations,
    log_operations,
    response_operations,
)
from turnwire_gateway.openapi.admin import admin_operations
from turnwire_gateway.openapi.answers import ErrorEnvelope
from turnwire_gateway.openapi.events import StreamEvent
from turnwire_gateway.openapi.headers import HEADERS
from turnwire_gateway.openapi.operation import Operation, described

OPERATIONS: Final = tuple(
    each
    for module in (
        response_operations,
        log_operations,
        branch_operations,
        conversation_operations,
        deployment_operations,
        admin_operations,
    )
    for each in vars(module).values()
    if isinstance(each, Operation)
)
"""All operations, in the order of the document."""

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
    "Administration": "For admins of a tenant and operators of all. Not in OpenAI's API.",
    "Operations": "For those who run it.",
}

_SECURITY: JSON = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, or a token of the OIDC issuer. While neither is "
        "configured, any token or none will do.",
    }
}


@cache
def document() -> JSON:
    """Give the document, as OpenAPI 3.1. It takes half a second, once; it is not to be changed."""
    written = get_openapi(
        title="Turnwire",
        summary="A Stateful Responses API for any inference backend.",
        description=_ABOUT.strip(),
        version=version("turnwire-gateway"),
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        servers=[{"url": "/", "description": "This server."}],
        tags=[{"name": name, "description": what} for name, what in _TAGS.items()],
        routes=described(OPERATIONS),
    )
    written["security"] = [{"bearer": []}, {}]
    components = written["components"]
    components["schemas"] = {**_others(), **components["schemas"]}
    components["examples"] = {code.code: _example(code) for code in CATALOGUE.values()}
    components["headers"] = HEADERS
    components["securitySchemes"] = _SECURITY
    _remove_defaults(written)
    return written


def _others() -> JSON:
    """Give the shapes that no route of FastAPI's has: those of streams and of errors."""
    shapes: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        (StreamEvent, "serialization"),
        (ErrorEnvelope, "serialization"),
    ]
    _, found = models_json_schema(shapes, ref_template="#/components/schemas/{model}")
    return found["$defs"]


def _remove_defaults(written: JSON) -> None:
    """Remove what FastAPI and pydantic add by themselves: 422, titles of fields, null if absent."""
    schemas: dict[str, JSON] = written["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    titled = [each for schema in schemas.values() for each in schema.get("properties", {}).values()]
    for methods in written["paths"].values():
        for operation in methods.values():
            operation["responses"].pop("422", None)
            for parameter in operation.get("parameters", []):
                titled.append(parameter["schema"])
                # A flag without a value says nothing.
                if parameter["schema"].get("default") is False:
                    parameter["allowEmptyValue"] = True
    for schema in titled:
        schema.pop("title", None)
        if schema.get("default", ...) is None:
            del schema["default"]


def _example(code: ErrorCode) -> JSON:
    what = f"{code.what[:1].upper()}{code.what[1:]}."
    error: JSON = {"message": what, "type": code.type, "param": code.param, "code": code.code}
    return {"summary": what, "value": {"error": error}}
