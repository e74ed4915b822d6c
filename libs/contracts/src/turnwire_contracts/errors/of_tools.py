"""Errors of MCP servers and of the tool-runner."""

from typing import Final

from turnwire_contracts.errors.error_code import ErrorCode

_INVALID: Final = "invalid_request_error"
_CONNECTOR: Final = "external_connector_error"
"""OpenAI's type of an MCP server's errors, with the status 424: SDKs do not repeat it."""

_TOOLS: Final = "tools"

OF_TOOLS: Final = (
    ErrorCode(
        code="invalid_server_url",
        status=400,
        type=_INVALID,
        param=_TOOLS,
        what="the URL of an MCP server is none, or leads where Turnwire does not connect",
        way_out="mend it, or `TURNWIRE_ALLOW_PRIVATE_URLS`",
    ),
    ErrorCode(
        code="invalid_server_credentials",
        status=400,
        type=_INVALID,
        param=_TOOLS,
        what="an MCP server's `authorization` or `headers` have expired or cannot be sent",
        way_out="send them again; `TURNWIRE_SEAL_KEY` must be the same for gateway and tool-runner",
    ),
    ErrorCode(
        code="unknown_tool_server",
        status=400,
        type=_INVALID,
        param=_TOOLS,
        what="an MCP server without URL whose label the operator does not know",
        way_out="`TURNWIRE_MCP_SERVERS`",
    ),
    ErrorCode(
        code="tool_changed",
        status=409,
        type=_INVALID,
        param=_TOOLS,
        instead="in `mcp_call`",
        what="the tool is not what it was when it was chosen or approved",
        way_out="it is listed again",
        retryable=True,
    ),
    ErrorCode(
        code="mcp_unreachable",
        status=424,
        type=_CONNECTOR,
        param=_TOOLS,
        what="no connection to an MCP server, or it failed several times in a row and is left "
        "alone for `TURNWIRE_TOOL_BREAKER_OPEN_S`",
        way_out="look at the server",
        retryable=True,
    ),
    ErrorCode(
        code="mcp_timeout",
        status=424,
        type=_CONNECTOR,
        param=_TOOLS,
        what="an MCP server did not answer in time",
        way_out="look at the server",
        retryable=True,
    ),
    ErrorCode(
        code="mcp_http_error",
        status=424,
        type=_CONNECTOR,
        param=_TOOLS,
        what="an MCP server answered with an HTTP error; it is in `message`",
        way_out="credentials? look at the server",
    ),
    ErrorCode(
        code="mcp_protocol_error",
        status=424,
        type=_CONNECTOR,
        param=_TOOLS,
        what="what answers there does not speak MCP, lists too many tools, or gave a result that "
        "cannot be read",
        way_out="look at the server",
    ),
    ErrorCode(
        code="cancelled",
        status=424,
        type=_CONNECTOR,
        param=_TOOLS,
        instead="between services",
        what="a call of a tool was given up, because its turn has ended",
    ),
    ErrorCode(
        code="tool_busy",
        status=429,
        type="rate_limit_error",
        param=_TOOLS,
        what="too many tool calls at once, at the server or of the tenant",
        way_out="wait; `TURNWIRE_MAX_TOOL_CALLS…`, more tool-runners",
        retryable=True,
    ),
    ErrorCode(
        code="tool_runner_error",
        status=500,
        type="server_error",
        message="The tools could not be used.",
        what="a fault in the tool-runner; nothing of it is told outside",
        way_out="look at its log, and report it",
    ),
    ErrorCode(
        code="tool_runner_unavailable",
        status=503,
        type="server_error",
        message="No tool-runner answers. Try again later.",
        what="no tool-runner answers",
        way_out="start it",
        retryable=True,
    ),
)
