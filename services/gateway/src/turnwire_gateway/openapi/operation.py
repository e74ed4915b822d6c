"""How a route is declared: a typed function for its form, and the codes of its errors."""

import inspect
from collections import defaultdict
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter
from msgspec import Struct
from pydantic import BaseModel
from pydantic.alias_generators import to_camel
from starlette.routing import BaseRoute

from turnwire_contracts.errors.catalogue import CATALOGUE
from turnwire_contracts.json_values import JSON
from turnwire_gateway.api.middleware import OPEN_PATHS
from turnwire_gateway.openapi.headers import headers_of

_EVERY: Final = ("host_not_allowed", "origin_not_allowed", "internal_error")
_OF_CALLERS: Final = (
    "invalid_api_key",
    "api_key_expired",
    "insufficient_scope",
    "identity_unavailable",
)
_BACKEND_REFUSED: Final = "backend_refused"
_TAGS: Final = {
    "responses": "Responses",
    "conversations": "Conversations",
    "approvals": "Responses",
    "check": "Guardrails",
    "models": "Models",
    "admin": "Administration",
}
"""By the first part of a path; all other routes are for those who run it."""


class Operation(Struct, frozen=True):
    """One method of one path, as it is declared."""

    method: str
    path: str
    form: Callable[..., Any]
    """Its parameters are those of the route; never called."""
    model: type[BaseModel]
    """What every good answer is."""
    errors: tuple[str, ...]
    """The codes it may answer with, beyond those of every route."""
    answers: dict[int, str]
    """What each good status means."""
    extra: JSON
    """What else OpenAPI is told of it (FastAPI's `openapi_extra`)."""

    @property
    def id(self) -> str:
        """Its `operationId`."""
        return to_camel(self.form.__name__)


def operation(
    route: str,
    model: type[BaseModel],
    *errors: str,
    answers: dict[int, str] | None = None,
    extra: JSON | None = None,
) -> Callable[[Callable[..., Any]], Operation]:
    """Declare a route, such as `GET /v1/models`, by its form; its docstring says what it is for.

    Without `answers` there is one good answer, 200, which the docstring of `model` describes.
    """
    method, path = route.split(" ")

    def declare(form: Callable[..., Any]) -> Operation:
        good = answers or {200: inspect.getdoc(model) or ""}
        return Operation(method, path, form, model, errors, good, extra or {})

    return declare


def described(operations: Iterable[Operation]) -> list[BaseRoute]:
    """Give operations as routes that FastAPI can describe."""
    router = APIRouter()
    for each in operations:
        _describe(router, each)
    return router.routes


def _describe(router: APIRouter, operation: Operation) -> None:
    summary, _, description = inspect.cleandoc(operation.form.__doc__ or "").partition("\n\n")
    good: dict[int | str, JSON] = {
        status: {"model": operation.model, **_answer(operation, status, what)}
        for status, what in operation.answers.items()
    }
    router.add_api_route(
        operation.path,
        operation.form,
        methods=[operation.method],
        tags=[_TAGS.get(operation.path.removeprefix("/v1").split("/")[1], "Operations")],
        operation_id=operation.id,
        summary=summary,
        # Without any FastAPI takes the whole docstring.
        description=description or "\f",
        responses={**_errors(operation), **good},
        response_model=None,
        openapi_extra={
            **operation.extra,
            **({"security": []} if operation.path in OPEN_PATHS else {}),
        },
    )


def _errors(operation: Operation) -> dict[int | str, JSON]:
    of_callers = () if operation.path in OPEN_PATHS else _OF_CALLERS
    by_status: defaultdict[int, list[str]] = defaultdict(list)
    for name in (*operation.errors, *of_callers, *_EVERY):
        for status in CATALOGUE[name].statuses:
            by_status[status].append(name)
    described: dict[int | str, JSON] = {
        status: _error(operation, status, HTTPStatus(status).phrase, codes)
        for status, codes in sorted(by_status.items())
    }
    if _BACKEND_REFUSED in operation.errors:
        described["4XX"] = _error(
            operation, 0, "Another refusal of the backend", [_BACKEND_REFUSED]
        )
    return described


def _error(operation: Operation, status: int, title: str, codes: list[str]) -> JSON:
    content = {
        "schema": {"$ref": "#/components/schemas/ErrorEnvelope"},
        "examples": {code: {"$ref": f"#/components/examples/{code}"} for code in codes},
    }
    what = f"{title}: " + ", ".join(f"`{code}`" for code in codes) + "."
    return {**_answer(operation, status, what), "content": {"application/json": content}}


def _answer(operation: Operation, status: int, what: str) -> JSON:
    names = headers_of(status, is_limited="rate_limit_exceeded" in operation.errors)
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    return {"description": what, "headers": headers}
