"""Why there is no answer, in words that are stable, and in the server's own where it has any."""

from http.client import responses
from typing import cast

import httpx2
from mcp.shared.exceptions import MCPError
from mcp_types import (
    CONNECTION_CLOSED,
    INTERNAL_ERROR,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
)
from pydantic import ValidationError

from turnwire_tool_runner.mcp_client.cleaning import clean
from turnwire_tool_runner.mcp_client.exchange import ExchangeState
from turnwire_tool_runner.outbound.policy import UrlRefused
from turnwire_tool_runner.outbound.reading import TooLarge
from turnwire_tool_runner.tool_servers import Code, ToolServerError

# What the SDK says itself with a code that servers use, too (python-sdk: `streamable_http.py`).
_BROKEN = frozenset(
    {
        "Connection closed",
        "SSE stream ended without a response",
        "SSE stream ended and reconnection attempts were exhausted",
    }
)
_NO_MCP = "It does not speak HTTP and MCP."
_MAX_QUOTE = 1000
_BAD = 400
_NOT_FOUND = 404


def fault(error: BaseException | None, exchange: ExchangeState) -> BaseException:
    """Say why a visit failed; `error`: what it ended with, None if it was cut off.

    What is no failure of the server is given as it is.
    """
    cause = exchange.failure or innermost(error)
    if isinstance(cause, MCPError):
        return _refused(cause, exchange)
    explained = _code_and_text(cause)
    if explained is None:
        # `None` is always explained.
        return cast("BaseException", cause)
    return ToolServerError(*explained, unsent=not exchange.has_left)


def _code_and_text(cause: BaseException | None) -> tuple[Code, str] | None:
    match cause:
        case UrlRefused():
            explained: tuple[Code, str] = ("invalid_server_url", str(cause))
        case httpx2.TimeoutException():
            explained = ("mcp_timeout", "It did not answer in time.")
        case TooLarge():
            explained = ("mcp_protocol_error", str(cause))
        case httpx2.ProtocolError() | httpx2.DecodingError() | ValidationError():
            explained = ("mcp_protocol_error", _NO_MCP)
        case httpx2.ReadError() | httpx2.WriteError():
            explained = ("mcp_unreachable", "The connection was lost before it had answered.")
        case httpx2.RequestError() | None:
            explained = ("mcp_unreachable", "It cannot be reached.")
        case _:
            return None
    return explained


def innermost(error: BaseException | None) -> BaseException | None:
    """Give what stands in groups of one."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return innermost(group.exceptions[0])
    return error


def _refused(error: MCPError, exchange: ExchangeState) -> ToolServerError:
    unsent = not exchange.has_left
    status = exchange.status
    if status >= _BAD and not (exchange.speaks_json and error.code != _stand_in(exchange)):
        text = f"Http status code: {status} ({responses.get(status, 'unknown')})."
        return ToolServerError("mcp_http_error", text, number=status, unsent=unsent)
    if error.code == CONNECTION_CLOSED and error.message in _BROKEN:
        text = "It closed the connection before it had answered."
        return ToolServerError("mcp_unreachable", text, unsent=unsent)
    if error.code == PARSE_ERROR:
        # The SDK's text quotes all that the server sent.
        text = _NO_MCP
    else:
        text = f"It answered: {clean(error.message, _MAX_QUOTE)}"
    return ToolServerError("mcp_protocol_error", text, number=error.code, unsent=unsent)


def _stand_in(exchange: ExchangeState) -> int:
    """What the SDK says for an HTTP error whose body is no JSON-RPC error."""
    if exchange.status != _NOT_FOUND:
        return INTERNAL_ERROR
    return INVALID_REQUEST if exchange.had_session else METHOD_NOT_FOUND
