"""The codes in code, in the OpenAPI document and in the catalogue of errors are the same."""

import ast
from collections.abc import Iterator

from architecture.house import Module, modules
from turnwire_contracts.errors.catalogue import CATALOGUE
from turnwire_gateway.openapi.document import OPERATIONS

_PLACE_OF_CODE = {
    "ToolServerError": 0,
    "failure": 0,
    "invalid": 2,
    "not_allowed": 0,
    "unavailable": 0,
}
"""By the name of a function that makes an error: which of its arguments is the code."""

_EVERYWHERE = {
    "api_key_expired",
    "host_not_allowed",
    "http_error",
    "identity_unavailable",
    "insufficient_scope",
    "internal_error",
    "invalid_api_key",
    "invalid_http_request",
    "origin_not_allowed",
    "request_header_fields_too_large",
    "tenant_read_only",
    "unknown_url",
}
"""What every operation can answer, and what is the answer where there is no operation."""


def test_every_code_that_code_makes_has_a_row() -> None:
    assert {each for module in _ours() for each in _made(module.tree)} - set(CATALOGUE) == set()


def test_every_row_is_of_a_code_that_code_knows() -> None:
    known = {text for module in _ours() for text in _texts(module.tree)}
    assert set(CATALOGUE) - known == set()


def test_the_openapi_document_tells_every_code_of_an_http_answer() -> None:
    named = {name for operation in OPERATIONS for name in operation.errors}
    of_http = {code for code, row in CATALOGUE.items() if row.statuses or row.instead == "4xx"}
    assert of_http - named == _EVERYWHERE
    assert named <= of_http


def _ours() -> Iterator[Module]:
    """Give the modules that make errors: neither the catalogue nor the OpenAPI document."""
    for module in modules():
        if module.ships and "/errors/of_" not in module.place and "/openapi/" not in module.place:
            yield module


def _made(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=given):
                place = _PLACE_OF_CODE.get(name, len(given))
                yield from (text for code in given[place : place + 1] for text in _texts(code))
            case _:
                pass


def _texts(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
