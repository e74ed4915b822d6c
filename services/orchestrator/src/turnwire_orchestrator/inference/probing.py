"""Which API a server speaks, told by how it answers an empty request. Pure.

`{}` is no request, so no server generates anything. One that has the route finds fault with the
body, or answers it; one that has not says so in its own way: 404 or 405, a page for people, or
(LM Studio) 200 with an error about the endpoint.
"""

import re
from typing import Any, Final

import orjson

from turnwire_contracts.json_values import mapping
from turnwire_orchestrator.inference.errors import error_in
from turnwire_orchestrator.prompting.dialect import Api

EMPTY_REQUEST: Final = b"{}"

_NOT_FOUND = 404
_NO_ROUTE = {405, 501}
_NOT_NOW = {401, 402, 403, 407, 408, 425, 429, 502, 503, 504}
_GOOD = 300
_REFUSED = 400
_LONGEST_WORDS = 120

_ABOUT_THE_BODY: Final = re.compile(
    r"\b(?:input|messages|model|prompt|body|field|parameter|required|missing|must|invalid_request)\b"
)
_ABOUT_THE_ROUTE: Final = re.compile(
    r"\b(?:endpoint|route|url|path|method)\b|not found|not supported"
)


def has_route(status: int, body: bytes) -> bool | None:
    """Tell whether a server has the route that was asked; `None` when the answer says neither."""
    if status in _NOT_NOW:
        return None
    if status in _NO_ROUTE or _GOOD <= status < _REFUSED:
        return False
    if status == _NOT_FOUND:
        return _speaks_of_a_model(_read(body))
    return status >= _REFUSED or _is_answered(body)


def api_spoken(*, responses: bool | None, chat: bool | None) -> Api | None:
    """Choose the API; `None` while it is not known."""
    if responses:
        return Api.RESPONSES
    return Api.CHAT if responses is False and chat else None


def in_words(path: str, status: int, body: bytes) -> str:
    """Say how a route answered, for operators."""
    said = error_in(_read(body)).message if status >= _REFUSED or b"error" in body else ""
    words = " ".join(said.split())
    if len(words) > _LONGEST_WORDS:
        words = words[:_LONGEST_WORDS] + "…"
    return f"POST {path} answers {status}" + (f" ({words})" if words else "")


def _is_answered(body: bytes) -> bool:
    """Tell a good status for an API's answer from one for anything else."""
    if body.lstrip().startswith((b"data:", b"event:", b":")):
        return True
    said = _read(body)
    if not isinstance(said, dict):
        # A page for people, or nothing.
        return False
    if not mapping(said).get("error"):
        return True
    words = error_in(said).message.lower()
    return bool(_ABOUT_THE_BODY.search(words)) and not _ABOUT_THE_ROUTE.search(words)


def _speaks_of_a_model(said: Any) -> bool:
    """Tell a 404 for the model (vLLM's answer to a wrong one) from a 404 for the route."""
    if not isinstance(said, dict):
        return False
    error = error_in(said)
    if error.param == "model" or error.code == "model_not_found":
        return True
    return "model" in error.message.lower()


def _read(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
