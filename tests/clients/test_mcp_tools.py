"""MCP servers, each client in its own words for them: OpenAI's SDKs, PydanticAI, LangChain."""

from collections.abc import Generator

import pytest
from agents import (
    Agent,
    HostedMCPTool,
    MCPToolApprovalFunctionResult,
    MCPToolApprovalRequest,
    OpenAIResponsesModel,
    Runner,
    set_tracing_disabled,
)
from langchain_openai import ChatOpenAI
from openai import AsyncOpenAI, DefaultAsyncHttpx2Client
from openai.types.responses.response_output_item import McpCall
from openai.types.responses.tool_param import Mcp
from pydantic import SecretStr
from pydantic_ai import Agent as PydanticAgent
from pydantic_ai.capabilities import NativeTool
from pydantic_ai.models.openai import OpenAIResponsesModel as PydanticModel
from pydantic_ai.native_tools import MCPServerTool
from pydantic_ai.providers.openai import OpenAIProvider

from clients.rig.questions import ADDS, HOW_MUCH, SUM
from e2e.rig.conversation import MODEL
from e2e.rig.desk import Desk, running_desk
from e2e.rig.stack import Stack
from scripted_backend import ScriptedBackend, calls, says
from turnwire_testing.ports import free_port

pytestmark = pytest.mark.clients

NOTES = calls("note", {"text": "buy beans"})


@pytest.fixture(scope="module")
def desk_process(tmp_path_factory: pytest.TempPathFactory) -> Generator[Desk]:
    """An MCP server for all tests."""
    with running_desk(tmp_path_factory.mktemp("desk"), free_port()) as running:
        yield running


@pytest.fixture
def desk(desk_process: Desk) -> Desk:
    """The MCP server, with a journal of this test."""
    desk_process.forget()
    return desk_process


def declared(desk: Desk, **fields: object) -> Mcp:
    """The server in OpenAI's words."""
    tool: Mcp = {"type": "mcp", "server_label": "desk", "server_url": desk.url}
    return {**tool, **fields}  # pyright: ignore[reportReturnType]


async def test_openais_sdk_calls_a_tool_of_a_server(
    openai_client: AsyncOpenAI, backend: ScriptedBackend, desk: Desk
) -> None:
    backend.script(ADDS, SUM)
    tool = declared(desk, require_approval="never")
    async with openai_client.responses.stream(model=MODEL, input=HOW_MUCH, tools=[tool]) as stream:
        kinds = [event.type async for event in stream]
        response = await stream.get_final_response()
    assert "response.mcp_call.completed" in kinds
    listing, call, _ = response.output
    assert (listing.type, call.type, response.output_text) == (
        "mcp_list_tools",
        "mcp_call",
        "It is 42.",
    )
    assert isinstance(call, McpCall)
    assert call.output == "42"


async def test_an_agent_has_hosted_tools_and_is_asked_before(
    openai_client: AsyncOpenAI, backend: ScriptedBackend, desk: Desk
) -> None:
    set_tracing_disabled(disabled=True)
    asked: list[str] = []

    def decide(request: MCPToolApprovalRequest) -> MCPToolApprovalFunctionResult:
        asked.append(request.data.name)
        return {"approve": False, "reason": "Not now."} if len(asked) > 1 else {"approve": True}

    backend.script(NOTES, NOTES, says("Well."))
    agent = Agent(
        name="clerk",
        model=OpenAIResponsesModel(MODEL, openai_client),
        tools=[
            HostedMCPTool(
                tool_config=declared(desk, require_approval="always"), on_approval_request=decide
            )
        ],
    )
    result = await Runner.run(agent, "Note it.", auto_previous_response_id=True)
    assert (result.final_output, asked) == ("Well.", ["note", "note"])
    assert desk.calls("note") == [{"text": "buy beans"}]
    assert "Not now." in str(backend.requests[-1].body["input"])


async def test_pydantic_ai_has_a_server_as_a_native_tool(
    openai_client: AsyncOpenAI, backend: ScriptedBackend, desk: Desk
) -> None:
    backend.script(ADDS, SUM)
    model = PydanticModel(MODEL, provider=OpenAIProvider(openai_client=openai_client))
    server = MCPServerTool(id="desk", url=desk.url, allowed_tools=["add"])
    result = await PydanticAgent(model, capabilities=[NativeTool(server)]).run(HOW_MUCH)
    assert result.output == "It is 42."
    assert desk.calls("add") == [{"a": 19, "b": 23}]


async def test_langchain_binds_a_server(stack: Stack, backend: ScriptedBackend, desk: Desk) -> None:
    backend.script(ADDS, SUM)
    async with DefaultAsyncHttpx2Client() as connections:
        llm = ChatOpenAI(
            model=MODEL,
            base_url=stack.url,
            api_key=SecretStr(stack.key),
            use_responses_api=True,
            max_retries=0,
            http_async_client=connections,
        )
        tool = {"type": "mcp", "server_label": "desk", "server_url": desk.url}
        bound = llm.bind_tools([{**tool, "require_approval": "never"}])
        answer = await bound.ainvoke(HOW_MUCH)
    assert answer.text == "It is 42."
    assert desk.calls("add") == [{"a": 19, "b": 23}]
