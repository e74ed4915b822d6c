"""Errors in the shapes in which servers and proxies write them, read as one. Pure.

Known shapes: `{"error": {…}}` (OpenAI), `{"error": "text"}` (Ollama, TGI, LM Studio), flat with
`object: error` (vLLM, SGLang, older), `{"type": "error", …}`, `{"detail": …}` (FastAPI), `errors`,
`{"code": …, "msg": …}`, `{"errorMessage": …}` (AWS), `base_resp` (MiniMax), a list of any of these
(Gemini), the text of an upstream inside `metadata.raw` (OpenRouter).
"""

import re
from typing import Any, Final, cast

import orjson
from msgspec import Struct

from turnwire_contracts.json_repair import lenient_json, mended
from turnwire_contracts.json_values import JSON, mapping, objects

_NESTED: Final = ("error", "errors", "exception", "err", "base_resp", "detail", "details")
_OWN_MESSAGES: Final = ("error_message", "errormessage", "error_msg", "errmsg", "err_msg")
"""Names that only errors have."""

_MESSAGES: Final = (
    *("message", "msg", *_OWN_MESSAGES),
    *("status_msg", "error_description", "description", "reason"),
)
_CODES: Final = ("code", "error_code", "errorcode", "status_code")
_NUMBERS: Final = (*_CODES, "status")
_TYPES: Final = ("type", "error_type", "errortype")
_NO_ERROR: Final = frozenset({"0", "200", "ok", "success", "succeeded"})
_ERROR: Final = re.compile(r".*(?:error|exception|failure|fail|failed)", re.IGNORECASE)
"""Types, names of events and statuses that say so."""

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
        status=next((status for name in _NUMBERS if (status := _status(found.get(name)))), None),
        fields=found,
    )


def is_error(said: JSON) -> bool:
    """Tell whether an object in a stream, which is nothing else that is known, is an error."""
    found = _lowered(said)
    if found.get("error") or found.get("object") == "error":
        return True
    if is_error_name(found.get("type")) or is_error_name(found.get("status")):
        return True
    codes = _codes(found)
    if any(code in _NO_ERROR for code in codes):
        return False
    if any(found.get(name) for name in _NESTED) or _first(found, _OWN_MESSAGES):
        return True
    if isinstance(found.get("message"), str) and "type" not in found:
        return True
    return bool(codes or found.get("success") is False) and bool(_first(found, _MESSAGES))


def may_be_error(said: JSON) -> bool:
    """Tell whether what an object says may be why a stream ended after it."""
    if "type" in said or any(code in _NO_ERROR for code in _codes(_lowered(said))):
        return False
    return bool(error_in(said).message)


def is_error_name(name: Any) -> bool:
    """Tell whether a type, a status or the name of an event says that it is an error."""
    return isinstance(name, str) and _ERROR.fullmatch(name) is not None


def object_in(data: bytes) -> JSON:
    """Read the object in the data of an event; a list of objects is an error (Gemini).

    Raises `ValueError` for what is neither.
    """
    said = mended(lenient_json(data))
    if isinstance(said, dict):
        return cast("JSON", said)
    if objects(said):
        return {"type": "error", "error": said}
    raise ValueError(f"not an object: {data[:80]!r}")


def shown(text: str) -> str:
    """Shorten what a server says to what a client can be shown."""
    return text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + "…"


def _flat(said: Any, depth: int) -> JSON:
    """Give the members of the innermost error, with what only stands around it."""
    if isinstance(said, list):
        return _joined([_flat(each, depth + 1) for each in cast("list[Any]", said)[:_DEEPEST]])
    if not isinstance(said, dict):
        return {} if said is None or said is False else {"message": str(said)}
    found = _unpacked(_lowered(cast("JSON", said)))
    speaks = bool(_first(found, _MESSAGES))
    for name in _NESTED if depth < _DEEPEST else ():
        within = found.get(name)
        if not within or (speaks and not (name == "error" and isinstance(within, dict))):
            continue
        inner = _flat(within, depth + 1)
        around = {key: value for key, value in found.items() if key != name}
        return {**around, **{key: value for key, value in inner.items() if value is not None}}
    return _with_place(found)


def _codes(found: JSON) -> list[str]:
    inner = _flat(found, 0)
    codes = (inner.get(name) for name in _NUMBERS)
    return [str(code).lower() for code in codes if isinstance(code, str | int)]


def _lowered(said: JSON) -> JSON:
    """Give an object with its names in lower case: servers differ in that."""
    return {name.lower(): value for name, value in said.items()}


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
