"""What is answered, and what is left out of it: secrets, and more than the broker carries."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import msgspec

from turnwire_contracts.errors.catalogue import CATALOGUE, failure
from turnwire_contracts.queries import Query, Refusal
from turnwire_contracts.tools import TOOLS_CALL, Called, CallError
from turnwire_tool_runner.output_limit import cut
from turnwire_tool_runner.tool_servers import ToolOutcome, ToolServerError

_REDACTED = "[redacted]"
_REVEALING = Refusal(failure("mcp_protocol_error", "It shows its credentials."))


def refusal(error: ToolServerError, label: str) -> Refusal:
    """Say why there is no list, or why no call was made."""
    where = f"MCP server '{label}'"
    if _is_of_server(error):
        message = f"Error retrieving tool list from {where}. {error.text}"
        return Refusal(failure(error.code, message))
    return Refusal(failure(error.code, f"{where}: {error.text}"))


def called(outcome: ToolOutcome) -> Called:
    """Say what a tool answered, well or badly."""
    if not outcome.is_error:
        return Called(output=outcome.text, truncated=outcome.is_truncated)
    message = outcome.text or "The tool failed and did not say why."
    error = CallError("mcp_tool_execution_error", message)
    return Called(error=error, truncated=outcome.is_truncated)


def uncalled(error: ToolServerError, label: str) -> Called | Refusal:
    """Say why there is no answer of a tool."""
    if not _is_of_server(error):
        return refusal(error, label)
    match error.code:
        case "mcp_http_error" | "mcp_timeout" | "mcp_unreachable":
            kind = "http_error"
        case _:
            kind = "mcp_protocol_error"
    return Called(error=CallError(kind, error.text, code=error.number, unsent=error.unsent))


def _is_of_server(error: ToolServerError) -> bool:
    """Tell whether a server was asked and did not answer as it should."""
    return CATALOGUE[error.code].status == HTTPStatus.FAILED_DEPENDENCY


def fitting(answer: Called | Refusal, most_bytes: int) -> bytes:
    """Encode an answer; an output that is longer than the broker carries is cut further."""
    encoded = TOOLS_CALL.encode_answer(answer)
    keep = most_bytes
    while len(encoded) > most_bytes and isinstance(answer, Called) and keep > 1:
        # Escaped, a byte can take six.
        keep //= 2
        encoded = TOOLS_CALL.encode_answer(_shorter(answer, keep))
    return encoded


def redacted(query: Query[Any, Any], answer: bytes, secrets: Iterable[str]) -> bytes:
    """Take secrets out of an encoded answer: a server may show what it was told."""
    without_secrets = answer
    for secret in secrets:
        quoted = msgspec.json.encode(secret)[1:-1]
        without_secrets = without_secrets.replace(quoted, _REDACTED.encode())
    if without_secrets is answer:
        return answer
    try:
        query.decode_answer(without_secrets)
    except msgspec.DecodeError:
        # Some secrets are words that every answer has.
        return query.encode_answer(_REVEALING)
    return without_secrets


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
