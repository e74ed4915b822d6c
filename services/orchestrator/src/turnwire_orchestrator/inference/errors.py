"""Errors in the shapes in which servers and proxies write them, read as one. Pure.

Known shapes: `{"error": {…}}` (OpenAI), `{"error": "text"}` (Ollama, TGI, LM Studio), flat with
`object: error` (vLLM, SGLang, older), `{"type": "error", …}`, `{"detail": …}` (FastAPI), `errors`,
a list of any of these (Gemini), the text of an upstream inside `metadata.raw` (OpenRouter).
"""

from typing import Any, Final, cast

import orjson
from msgspec import Struct

from turnwire_contracts.json_values import JSON, mapping

_NESTED: Final = ("error", "errors", "detail", "details")
_MESSAGES: Final = ("message", "msg", "error_msg", "error_message", "description", "reason")
_CODES: Final = ("code", "error_code", "status_code")
_TYPES: Final = ("type", "error_type")
_DEEPEST: Final = 5
_LONGEST_MESSAGE: Final = 2000
_LEAST_STATUS, _PAST_STATUS = 400, 600


class BackendError(Struct, frozen=True):
    """What a server says of its error; empty where it says nothing."""

    message: str = ""
    code: str = ""
    type: str = ""
    param: str | None = None
    status: int | None = None
    """The HTTP status that stands in the body, where one does."""
    fields: JSON = {}
    """The innermost object, as it came."""


def read_error(body: str) -> BackendError:
    """Read the body of a refusal, JSON or not."""
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        said = body.strip()
    return error_in(said)


def error_in(said: Any) -> BackendError:
    """Read an error out of JSON of any shape."""
    found = _flat(said, 0)
    message = _first(found, _MESSAGES)
    raw = mapping(found.get("metadata")).get("raw")
    if isinstance(raw, str) and raw.strip():
        message = f"{message}: {raw.strip()}" if message else raw.strip()
    codes = [found.get(name) for name in _CODES]
    return BackendError(
        message=shown(message),
        code=next((code for code in codes if isinstance(code, str) and not code.isdecimal()), ""),
        type=_first(found, _TYPES),
        param=found.get("param") if isinstance(found.get("param"), str) else None,
        status=next((status for code in codes if (status := _status(code))), None),
        fields=found,
    )


def is_error(said: JSON) -> bool:
    """Tell whether an object in a stream, which is nothing else that is known, is an error."""
    if said.get("object") == "error" or said.get("type") == "error":
        return True
    if any(said.get(name) for name in _NESTED):
        return True
    return isinstance(said.get("message"), str) and ("type" not in said or "code" in said)


def shown(text: str) -> str:
    """Shorten what a server says to what a client can be shown."""
    return text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + "…"


def _flat(said: Any, depth: int) -> JSON:
    """Give the members of the innermost error, with what only stands around it."""
    if isinstance(said, list):
        return _joined([_flat(each, depth + 1) for each in cast("list[Any]", said)[:_DEEPEST]])
    if not isinstance(said, dict):
        return {} if said is None or said is False else {"message": str(said)}
    said = _unpacked(cast("JSON", said))
    found = mapping(cast("JSON", said))
    speaks = bool(_first(found, _MESSAGES))
    for name in _NESTED if depth < _DEEPEST else ():
        within = found.get(name)
        if not within or (speaks and not (name == "error" and isinstance(within, dict))):
            continue
        inner = _flat(within, depth + 1)
        around = {key: value for key, value in found.items() if key != name}
        return {**around, **{key: value for key, value in inner.items() if value is not None}}
    return _with_place(found)


def _unpacked(said: JSON) -> JSON:
    """Unpack the error of an upstream that a proxy gives as the text of its own."""
    text = said.get("message")
    if not isinstance(text, str) or not text.startswith("{"):
        return said
    try:
        upstream = orjson.loads(text)
    except orjson.JSONDecodeError:
        return said
    return {**said, "message": None, "error": upstream}


def _joined(found: list[JSON]) -> JSON:
    messages = [message for each in found if (message := _first(each, _MESSAGES))]
    return {**(found[0] if found else {}), "message": "; ".join(messages)} if messages else {}


def _with_place(found: JSON) -> JSON:
    """Name the field that FastAPI's validation finds fault with."""
    place = found.get("loc")
    if not isinstance(place, list) or not isinstance(found.get("msg"), str):
        return found
    path = ".".join(str(part) for part in cast("list[Any]", place))
    return {"message": f"{path}: {found['msg']}"}


def _first(found: JSON, names: tuple[str, ...]) -> str:
    texts = (found.get(name) for name in names)
    return next((text for text in texts if isinstance(text, str) and text.strip()), "")


def _status(code: Any) -> int | None:
    number = int(code) if isinstance(code, str) and code.isascii() and code.isdecimal() else code
    if isinstance(number, int) and _LEAST_STATUS <= number < _PAST_STATUS:
        return number
    return None
