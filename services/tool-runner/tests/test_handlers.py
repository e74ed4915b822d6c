"""What the tool-runner answers to bytes, good and bad; it always answers."""

from dataclasses import dataclass, field

import pytest

from turnwire_contracts.queries import TOOLS_LIST, AskForTools, Refusal, Tool, Tools
from turnwire_tool_runner.handlers import MAX_TIMEOUT_S, Handlers
from turnwire_tool_runner.tool_servers import ToolServerError

QUESTION = AskForTools(server_url="http://tools/mcp", server_label="weather", timeout_s=3)
TOOL = Tool(name="forecast", input_schema={"type": "object"})


@dataclass
class FakeServers:
    """Offers one tool or raises, and keeps what it was asked."""

    error: Exception | None = None
    asked: list[tuple[str, float]] = field(default_factory=list[tuple[str, float]])

    async def list_tools(self, url: str, timeout_s: float) -> list[Tool]:
        self.asked.append((url, timeout_s))
        if self.error is not None:
            raise self.error
        return [TOOL]


async def answer(
    servers: FakeServers, body: bytes, longest_answer: int = 1_000_000
) -> Tools | Refusal:
    handlers = Handlers(servers, lambda: longest_answer)
    return TOOLS_LIST.answered(await handlers.list_tools(body))


async def refused(servers: FakeServers, body: bytes) -> tuple[int, str, str]:
    """Give status, type and code of a refusal."""
    given = await answer(servers, body)
    assert isinstance(given, Refusal)
    return given.failure.http_status, given.failure.type, given.failure.code


async def test_the_tools_of_the_server_are_the_answer() -> None:
    servers = FakeServers()

    assert await answer(servers, TOOLS_LIST.ask(QUESTION)) == Tools([TOOL])
    assert servers.asked == [("http://tools/mcp", 3)]


async def test_no_server_is_waited_for_longer_than_the_maximum() -> None:
    servers = FakeServers()
    patient = AskForTools(server_url="http://tools/mcp", timeout_s=1e9)

    await answer(servers, TOOLS_LIST.ask(patient))

    assert servers.asked == [("http://tools/mcp", MAX_TIMEOUT_S)]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"server_url": 1}', b'{"server_url": "\xff"}', b"\x00"]
)
async def test_a_body_that_is_no_question_is_refused(body: bytes) -> None:
    servers = FakeServers()

    assert await refused(servers, body) == (400, "invalid_request_error", "invalid_question")
    assert servers.asked == []


async def test_a_url_that_cannot_be_asked_is_the_client_s_mistake() -> None:
    servers = FakeServers(ToolServerError("invalid_server_url", "No."))

    assert await refused(servers, TOOLS_LIST.ask(QUESTION)) == (
        400,
        "invalid_request_error",
        "invalid_server_url",
    )


async def test_a_server_that_fails_is_named_with_its_reason() -> None:
    servers = FakeServers(ToolServerError("mcp_timeout", "It did not answer within 3 s."))

    given = await answer(servers, TOOLS_LIST.ask(QUESTION))

    assert isinstance(given, Refusal)
    assert (given.failure.http_status, given.failure.code) == (424, "mcp_timeout")
    assert (given.failure.type, given.failure.param) == ("external_connector_error", "tools")
    assert given.failure.message == (
        "Error retrieving tool list from MCP server 'weather'. It did not answer within 3 s."
    )


async def test_a_list_that_the_broker_would_not_carry_is_refused() -> None:
    given = await answer(FakeServers(), TOOLS_LIST.ask(QUESTION), longest_answer=10)

    assert isinstance(given, Refusal)
    assert (given.failure.http_status, given.failure.code) == (424, "mcp_protocol_error")


async def test_a_bug_is_an_internal_error_that_tells_nothing_of_itself() -> None:
    servers = FakeServers(ZeroDivisionError("secret"))

    given = await answer(servers, TOOLS_LIST.ask(QUESTION))

    assert isinstance(given, Refusal)
    assert (given.failure.http_status, given.failure.code) == (500, "tool_runner_error")
    assert "secret" not in given.failure.message
