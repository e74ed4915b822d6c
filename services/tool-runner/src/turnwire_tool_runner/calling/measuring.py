"""One request to an MCP server as it is measured; what is opened for it is part of it."""

from collections.abc import Generator
from contextlib import contextmanager
from time import perf_counter
from typing import Final

from turnwire_chassis.telemetry import metrics, names, spans
from turnwire_chassis.telemetry.labels import NO_ERROR, URL_SERVER
from turnwire_contracts.tools import AskForCall, AskForTools
from turnwire_tool_runner.tool_servers import Target, ToolOutcome, ToolServerError

CALL: Final = "tools/call"
LIST: Final = "tools/list"
_TOOL_ERROR: Final = "tool_error"
"""OpenTelemetry, MCP: the tool answered, and its answer is an error."""
_NO_ANSWER: Final = "_other"


class Measured:
    """How a request ended; an error unless `answered` was called."""

    error: str = _NO_ANSWER

    def answered(self, outcome: ToolOutcome | None = None) -> None:
        """Note an answer; a tool can answer with an error."""
        self.error = _TOOL_ERROR if outcome is not None and outcome.is_error else NO_ERROR


def server_label(question: AskForTools | AskForCall, target: Target) -> str:
    """Give the label of an operator's server; those of clients have one for all."""
    return question.server.label if target.is_operators else URL_SERVER


@contextmanager
def measured(method: str, server: str, tool: str = "") -> Generator[Measured]:
    """Measure one request to a server; to the server it is told where in a trace it belongs."""
    began, noted = perf_counter(), Measured()
    try:
        with spans.begin(method, "CLIENT") as span:
            if span.is_recording:
                _describe(span, method, server, tool)
            yield noted
            if noted.error:
                span.fail(noted.error)
    except ToolServerError as error:
        noted.error = error.code
        raise
    finally:
        metrics.MCP_DURATION(method, server, noted.error).observe(perf_counter() - began)
        if method == CALL:
            metrics.TOOL_CALLS(server, noted.error or "answered").inc()


def _describe(span: spans.Span, method: str, server: str, tool: str) -> None:
    span.name = names.mcp(method, tool)
    span.set(names.MCP_METHOD, method)
    span.set(names.SERVER, server)
    if tool:
        span.set(names.GEN_AI_OPERATION, "execute_tool")
        span.set(names.GEN_AI_TOOL, tool)
