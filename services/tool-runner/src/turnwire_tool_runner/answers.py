"""What is answered, and what is left out of it: secrets, and more than the broker carries."""

from collections.abc import Iterable
from typing import Any

import msgspec

from turnwire_contracts.events import Failure
from turnwire_contracts.queries import Query, Refusal
from turnwire_contracts.tools import TOOLS_CALL, Called, CallError
from turnwire_tool_runner.mcp_client.results import cut
from turnwire_tool_runner.tool_servers import Outcome, ToolServerError

_REDACTED = "[redacted]"
_REVEALING = Refusal(
    Failure(
        424, "external_connector_error", "mcp_protocol_error", "It shows its credentials.", "tools"
    )
)
_STATUSES = {
    "invalid_server_credentials": 400,
    "invalid_server_url": 400,
    "unknown_tool_server": 400,
    "tool_changed": 409,
    "tool_busy": 429,
}
"""Of what is no answer of a server. OpenAI: 424 for all others; SDKs do not try it again."""


def refusal(error: ToolServerError, label: str) -> Refusal:
    """Say why there is no list, or why no call was made."""
    status = _STATUSES.get(error.code, 424)
    if status == 424:  # noqa: PLR2004 -- OpenAI's status and type
        message = f"Error retrieving tool list from MCP server '{label}'. {error.text}"
        return Refusal(Failure(424, "external_connector_error", error.code, message, "tools"))
    kind = "rate_limit_error" if error.code == "tool_busy" else "invalid_request_error"
    return Refusal(
        Failure(status, kind, error.code, f"MCP server '{label}': {error.text}", "tools")
    )


def called(outcome: Outcome) -> Called:
    """Say what a tool answered, well or badly."""
    if not outcome.is_error:
        return Called(output=outcome.text, truncated=outcome.is_truncated)
    message = outcome.text or "The tool failed and did not say why."
    error = CallError("mcp_tool_execution_error", message)
    return Called(error=error, truncated=outcome.is_truncated)


def uncalled(error: ToolServerError, label: str) -> Called | Refusal:
    """Say why there is no answer of a tool."""
    if error.code in _STATUSES:
        return refusal(error, label)
    match error.code:
        case "mcp_http_error" | "mcp_timeout" | "mcp_unreachable":
            kind = "http_error"
        case _:
            kind = "mcp_protocol_error"
    return Called(error=CallError(kind, error.text, code=error.number, unsent=error.unsent))


def fitting(answer: Called | Refusal, most_bytes: int) -> bytes:
    """Encode an answer; an output that is longer than the broker carries is cut further."""
    encoded = TOOLS_CALL.answer(answer)
    keep = most_bytes
    while len(encoded) > most_bytes and isinstance(answer, Called) and keep > 1:
        # Escaped, a byte can take six.
        keep //= 2
        encoded = TOOLS_CALL.answer(_shorter(answer, keep))
    return encoded


def redacted(query: Query[Any, Any], answer: bytes, secrets: Iterable[str]) -> bytes:
    """Take secrets out of an encoded answer: a server may show what it was told."""
    found = answer
    for secret in secrets:
        found = found.replace(msgspec.json.encode(secret)[1:-1], _REDACTED.encode())
    if found is answer:
        return answer
    try:
        query.answered(found)
    except msgspec.DecodeError:
        # Some secrets are words that every answer has.
        return query.answer(_REVEALING)
    return found


def without(text: str, secrets: Iterable[str]) -> str:
    """Take secrets out of a text."""
    for secret in secrets:
        text = text.replace(secret, _REDACTED)
    return text


def _shorter(answer: Called, most_bytes: int) -> Called:
    if answer.error is not None:
        message = cut(answer.error.message, most_bytes)
        error = msgspec.structs.replace(answer.error, message=message)
        return msgspec.structs.replace(answer, error=error, truncated=True)
    return Called(output=cut(answer.output or "", most_bytes), truncated=True)
