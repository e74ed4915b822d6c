"""A question about a call, read and checked before anybody is asked. No I/O."""

import re
from typing import Any, cast

import msgspec

from turnwire_contracts.tools import AskForCall
from turnwire_tool_runner.tool_servers import Call, ToolServerError

INVALID_PARAMS = -32602

# It becomes a part of subjects.
_CALL_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_MAX_DEPTH = 100


def is_call_id(text: str) -> bool:
    """Whether signs of life can be sent under this id."""
    return bool(_CALL_ID.fullmatch(text))


def call_of(question: AskForCall, allowed: frozenset[str] | None) -> Call:
    """Read the arguments as the model wrote them. Raises ToolServerError."""
    if allowed is not None and question.name not in allowed:
        raise _invalid("There is no such tool.")
    arguments = _arguments(question.arguments)
    return Call(question.name, arguments, question.digest, approved=question.approved)


def _arguments(text: str) -> dict[str, Any]:
    if not text.strip():
        # What models write for a tool without parameters.
        return {}
    try:
        arguments = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise _invalid(f"The arguments are no JSON: {error}.") from error
    except RecursionError as error:
        raise _invalid("The arguments are nested too deeply.") from error
    if not isinstance(arguments, dict):
        raise _invalid("The arguments are no JSON object.")
    found = cast("dict[str, Any]", arguments)
    if _is_deeper(found, _MAX_DEPTH):
        raise _invalid("The arguments are nested too deeply.")
    return found


def _is_deeper(value: object, depth: int) -> bool:
    if isinstance(value, dict):
        inner = list(cast("dict[str, object]", value).values())
    elif isinstance(value, list):
        inner = cast("list[object]", value)
    else:
        return False
    return depth == 0 or any(_is_deeper(each, depth - 1) for each in inner)


def _invalid(text: str) -> ToolServerError:
    return ToolServerError("mcp_protocol_error", text, number=INVALID_PARAMS, unsent=True)
