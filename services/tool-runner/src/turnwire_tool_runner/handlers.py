"""One method per question: decode, ask the server, answer. Nothing asked raises out of here."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import structlog

from turnwire_contracts.events import Failure
from turnwire_contracts.queries import TOOLS_LIST, AskForTools, Refusal, Tools
from turnwire_tool_runner.tool_servers import ToolServerError, ToolServers

log = structlog.get_logger()

MAX_TIMEOUT_S = 60.0
"""No server is waited for longer, whatever the question says."""


@dataclass(frozen=True, slots=True)
class Handlers:
    """Answers what the tool-runner is asked."""

    servers: ToolServers
    longest_answer: Callable[[], int]
    """How many bytes the broker carries."""

    async def list_tools(self, body: bytes) -> bytes:
        """Answer `tools.list`."""
        try:
            return await self._list_tools(TOOLS_LIST.asked(body))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return TOOLS_LIST.answer(_bad_question("invalid_question", str(error)))
        except Exception:
            log.exception("tools not listed")
            return TOOLS_LIST.answer(_INTERNAL)

    async def _list_tools(self, question: AskForTools) -> bytes:
        timeout_s = min(question.timeout_s, MAX_TIMEOUT_S)
        try:
            tools = await self.servers.list_tools(question.server_url, timeout_s)
        except ToolServerError as error:
            return self._refuse(question, error)
        answer = TOOLS_LIST.answer(Tools(tools))
        if len(answer) <= self.longest_answer():
            return answer
        return self._refuse(
            question, ToolServerError("mcp_protocol_error", "Its list is too long.")
        )

    def _refuse(self, question: AskForTools, error: ToolServerError) -> bytes:
        log.info("tools not listed", server=question.server_label, code=error.code)
        return TOOLS_LIST.answer(_refusal(error, question.server_label))


def _refusal(error: ToolServerError, label: str) -> Refusal:
    if error.code == "invalid_server_url":
        return _bad_question(error.code, error.text)
    # OpenAI: 424 and this type; SDKs do not try a 424 again by themselves.
    return Refusal(
        Failure(
            http_status=424,
            type="external_connector_error",
            code=error.code,
            message=f"Error retrieving tool list from MCP server '{label}'. {error.text}",
            param="tools",
        )
    )


def _bad_question(code: str, message: str) -> Refusal:
    return Refusal(
        Failure(
            http_status=400,
            type="invalid_request_error",
            code=code,
            message=message,
            param="tools",
        )
    )


_INTERNAL = Refusal(
    Failure(
        http_status=500,
        type="server_error",
        code="tool_runner_error",
        message="The tools could not be listed.",
    )
)
