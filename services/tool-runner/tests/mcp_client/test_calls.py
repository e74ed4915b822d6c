"""Calls of tools on real servers, of this year's protocol and of last year's."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import mcp_types as types
import pytest
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError

from turnwire_contracts.ids import TenantId
from turnwire_tool_runner.mcp_client.client import McpToolServers
from turnwire_tool_runner.tool_servers import (
    Target,
    TenantServer,
    ToolCallRequest,
    ToolOutcome,
    ToolServerError,
)

ServeMcp = Callable[..., str]
Tool = Callable[[Any, types.CallToolRequestParams], Awaitable[types.CallToolResult]]

WITHIN_S = 20
ERAS = pytest.mark.parametrize("seen", [None, []], ids=["2026", "2025"])


@dataclass
class Signs:
    """Keeps what a call tells of itself."""

    has_left: bool = False
    said: list[str | None] = field(default_factory=list[str | None])
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    def leaving(self) -> None:
        self.has_left = True

    async def progressed(self, message: str | None = None) -> None:
        self.said.append(message)
        self.heard.set()


def text(*parts: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=part) for part in parts])


def offering(answer: Tool, tools: list[types.Tool] | None = None) -> Server:
    """Make a server that answers every call in this way."""
    tools = tools or [types.Tool(name="act", input_schema={"type": "object"})]

    async def list_tools(*_: object) -> types.ListToolsResult:
        return types.ListToolsResult(tools=tools)

    return Server("offering", on_list_tools=list_tools, on_call_tool=answer)


def visit(url: str, *headers: tuple[str, str]) -> TenantServer:
    return TenantServer(TenantId("acme"), Target(url, headers))


async def act(
    servers: McpToolServers,
    url: str,
    call: ToolCallRequest | None = None,
    observer: Signs | None = None,
) -> ToolOutcome:
    async with asyncio.timeout(WITHIN_S):
        return await servers.call(
            visit(url), call or ToolCallRequest("act", {}), observer or Signs()
        )


async def failure(
    servers: McpToolServers, url: str, call: ToolCallRequest | None = None
) -> ToolServerError:
    with pytest.raises(ToolServerError) as caught:
        await act(servers, url, call)
    return caught.value


@ERAS
async def test_a_tool_gets_its_arguments_and_its_texts_are_the_answer(
    servers: McpToolServers, serve_mcp: ServeMcp, seen: list[str] | None
) -> None:
    async def repeat(_: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        return text(params.name, str(params.arguments))

    observer = Signs()
    call = ToolCallRequest("act", {"a": [1, {"ü": None}]})
    outcome = await act(servers, serve_mcp(offering(repeat), seen), call, observer)

    assert outcome == ToolOutcome("act\n{'a': [1, {'ü': None}]}")
    assert observer.has_left


@ERAS
async def test_a_tool_that_fails_says_why(
    servers: McpToolServers, serve_mcp: ServeMcp, seen: list[str] | None
) -> None:
    async def fail(*_: Any) -> types.CallToolResult:
        return types.CallToolResult(content=text("No such city.").content, is_error=True)

    outcome = await act(servers, serve_mcp(offering(fail), seen))

    assert outcome == ToolOutcome("No such city.", is_error=True)


@ERAS
async def test_a_server_that_refuses_says_so_in_its_own_words_and_code(
    servers: McpToolServers, serve_mcp: ServeMcp, seen: list[str] | None
) -> None:
    async def refuse(*_: Any) -> types.CallToolResult:
        raise MCPError(-32602, "Unknown\x1b[31m tool: act")

    error = await failure(servers, serve_mcp(offering(refuse), seen))

    assert (error.code, error.number) == ("mcp_protocol_error", -32602)
    assert error.text == "It answered: Unknown[31m tool: act"
    assert not error.unsent


async def test_a_result_is_there_even_where_it_breaks_the_schema_of_its_server(
    servers: McpToolServers, serve_mcp: ServeMcp
) -> None:
    async def answer(*_: Any) -> types.CallToolResult:
        return types.CallToolResult(content=[], structured_content={"n": "a" * 40})

    schema = {"type": "object", "properties": {"n": {"type": "string", "pattern": "^(a+)+$b"}}}
    tool = types.Tool(name="act", input_schema={"type": "object"}, output_schema=schema)

    outcome = await act(servers, serve_mcp(offering(answer, [tool])))

    assert outcome.text == '{"n":"' + "a" * 40 + '"}'


@ERAS
async def test_progress_is_told_while_the_tool_works(
    servers: McpToolServers, serve_mcp: ServeMcp, seen: list[str] | None
) -> None:
    told = asyncio.Event()

    async def work(context: Any, _: types.CallToolRequestParams) -> types.CallToolResult:
        await context.session.report_progress(1, 2, "half\x07 of it")
        await told.wait()
        return text("done")

    observer = Signs()
    calling = asyncio.create_task(act(servers, serve_mcp(offering(work), seen), observer=observer))
    async with asyncio.timeout(WITHIN_S):
        await observer.heard.wait()
    told.set()

    assert (await calling).text == "done"
    assert observer.said == ["half of it"]


@ERAS
async def test_a_call_that_is_given_up_is_cancelled_at_the_server_too(
    servers: McpToolServers, serve_mcp: ServeMcp, seen: list[str] | None
) -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def hang(_: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        if params.name == "other":
            return text("here")
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return text()

    url = serve_mcp(offering(hang), seen)
    calling = asyncio.create_task(act(servers, url))
    async with asyncio.timeout(WITHIN_S):
        await begun.wait()
        calling.cancel()
        await cancelled.wait()

    # What else goes on in the session goes on.
    assert (await act(servers, url, ToolCallRequest("other", {}))).text == "here"


@ERAS
async def test_a_tool_is_called_if_it_is_what_it_was(
    servers: McpToolServers, serve_mcp: ServeMcp, seen: list[str] | None
) -> None:
    called: list[str] = []

    async def answer(_: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        called.append(params.name)
        return text("done")

    tools = [types.Tool(name="act", input_schema={"type": "object"}, description="Reads.")]
    url = serve_mcp(offering(answer, tools), seen)
    [tool] = (await servers.list_tools(visit(url))).tools

    assert (await act(servers, url, ToolCallRequest("act", {}, tool.digest))).text == "done"

    # A list that is known is believed for a while; a new one is not.
    tools[0] = types.Tool(name="act", input_schema={"type": "object"}, description="Deletes all.")
    await servers.list_tools(visit(url))
    error = await failure(servers, url, ToolCallRequest("act", {}, tool.digest))

    assert (error.code, error.unsent) == ("tool_changed", True)
    assert called == ["act"]


async def test_a_tool_that_looks_changed_is_looked_at_again_before_it_is_refused(
    servers: McpToolServers, serve_mcp: ServeMcp
) -> None:
    async def answer(*_: Any) -> types.CallToolResult:
        return text("done")

    tools = [types.Tool(name="act", input_schema={"type": "object"}, description="Old.")]
    url = serve_mcp(offering(answer, tools))
    await servers.list_tools(visit(url))
    tools[0] = types.Tool(name="act", input_schema={"type": "object"}, description="New.")
    elsewhere = visit(url, ("x-session", "another"))
    [new] = (await servers.list_tools(elsewhere)).tools

    assert (await act(servers, url, ToolCallRequest("act", {}, new.digest))).text == "done"


async def test_a_tool_that_is_gone_is_a_changed_tool(
    servers: McpToolServers, serve_mcp: ServeMcp
) -> None:
    async def answer(*_: Any) -> types.CallToolResult:
        return text("done")

    error = await failure(
        servers, serve_mcp(offering(answer)), ToolCallRequest("gone", {}, "digest")
    )

    assert error.code == "tool_changed"


async def test_headers_reach_the_server_with_every_message(
    servers: McpToolServers, serve_mcp: ServeMcp
) -> None:
    seen: list[str] = []

    async def answer(context: Any, _: types.CallToolRequestParams) -> types.CallToolResult:
        return text(context.request.headers["authorization"])

    url = serve_mcp(offering(answer), seen)
    outcome = await servers.call(
        visit(url, ("authorization", "Bearer t")), ToolCallRequest("act", {}), Signs()
    )

    assert outcome.text == "Bearer t"


async def test_an_output_is_cut_where_it_is_too_long(
    servers: McpToolServers, serve_mcp: ServeMcp
) -> None:
    async def answer(*_: Any) -> types.CallToolResult:
        return text("ü" * 10_000)

    outcome = await act(servers, serve_mcp(offering(answer)))

    assert outcome.is_truncated
    assert outcome.text == "ü" * 5000 + "\n[cut here: 10000 of 20000 bytes left out]"


async def test_a_tool_that_asks_for_input_is_told_that_there_is_none(
    servers: McpToolServers, serve_mcp: ServeMcp
) -> None:
    async def ask(*_: Any) -> Any:
        wanted = types.ElicitRequest(
            params=types.ElicitRequestFormParams(
                message="Password?", requested_schema={"type": "object", "properties": {}}
            )
        )
        return types.InputRequiredResult(input_requests={"password": wanted})

    error = await failure(servers, serve_mcp(offering(ask)))

    assert error.code == "mcp_protocol_error"


async def test_a_tool_that_says_ask_again_is_asked_again(
    servers: McpToolServers, serve_mcp: ServeMcp
) -> None:
    async def later(_: Any, params: types.CallToolRequestParams) -> Any:
        if params.request_state == "half":
            return text("done")
        return types.InputRequiredResult(request_state="half")

    assert (await act(servers, serve_mcp(offering(later)))).text == "done"
