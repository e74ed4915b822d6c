"""Reads and checks the question for a call, before a server is asked. No I/O."""

import re
from typing import Any, cast

import msgspec

from turnwire_contracts.tools import AskForCall
from turnwire_tool_runner.tool_servers import ToolCallRequest, ToolServerError

INVALID_PARAMS = -32602

# It becomes a part of subjects.
_CALL_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_MAX_DEPTH = 100


def is_call_id(text: str) -> bool:
    """Tell whether `text` can be the last word of a subject for progress and cancellation."""
    return bool(_CALL_ID.fullmatch(text))


def call_of(question: AskForCall, allowed: frozenset[str] | None) -> ToolCallRequest:
    """Read a call with its arguments as the model wrote them; `allowed`: the tools there may be.

    Raises `ToolServerError` for another tool, and for arguments that are no JSON object.
    """
    if allowed is not None and question.name not in allowed:
        raise _invalid("There is no such tool.")
    arguments = _arguments(question.arguments)
    return ToolCallRequest(question.name, arguments, question.digest, approved=question.approved)


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
    fields = cast("dict[str, Any]", arguments)
    if _is_deeper(fields, _MAX_DEPTH):
        raise _invalid("The arguments are nested too deeply.")
    return fields


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
