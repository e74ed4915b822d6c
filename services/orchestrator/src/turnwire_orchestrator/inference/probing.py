"""Which API a server speaks, told by how it answers an empty request. Pure.

`{}` is no request, so no server generates anything. One that has the route finds fault with the
body; one that has not says so in its own way: 404 or 405, or (LM Studio) 200 with an error.
"""

from typing import Any, Final

import orjson

from turnwire_contracts.json_values import JSON, mapping
from turnwire_orchestrator.prompting.dialect import Api

EMPTY_REQUEST: Final = b"{}"

_NOT_FOUND = 404
_NO_ROUTE = {405, 501}
_NOT_NOW = {401, 403, 407, 408, 429, 502, 503, 504}
_GOOD = 300


def has_route(status: int, body: bytes) -> bool | None:
    """Tell whether a server has the route that was asked; `None` when the answer says neither."""
    if status in _NOT_NOW:
        return None
    if status in _NO_ROUTE:
        return False
    said = _read(body)
    if status == _NOT_FOUND:
        return _speaks_of_a_model(said)
    return not (status < _GOOD and "error" in mapping(said))


def api_spoken(*, responses: bool | None, chat: bool | None) -> Api | None:
    """Choose the API; `None` while it is not known."""
    if responses:
        return Api.RESPONSES
    return Api.CHAT if responses is False and chat else None


def _speaks_of_a_model(said: Any) -> bool:
    """Tell a 404 for the model (vLLM's answer to a wrong one) from a 404 for the route."""
    error: JSON = mapping(mapping(said).get("error"))
    if error.get("param") == "model" or error.get("code") == "model_not_found":
        return True
    return "model" in str(error.get("message") or "").lower()


def _read(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
