"""Lists of tools: from real servers, and from what is none."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import mcp_types as types
import pytest
from mcp.server.lowlevel import Server
from mcp.server.mcpserver import MCPServer

from turnwire_contracts.ids import TenantId
from turnwire_contracts.tools import Tool
from turnwire_tool_runner.mcp_client.client import McpToolServers
from turnwire_tool_runner.tool_servers import Target, TenantServer, ToolServerError

ServeMcp = Callable[..., str]
ServeBytes = Callable[[bytes | None], Awaitable[str]]

WITHIN_S = 20
PAGES = 3


def calculator() -> MCPServer:
    server = MCPServer("calculator")

    @server.tool(annotations=types.ToolAnnotations(read_only_hint=True, title="Sum"))
    def add(a: int, b: int) -> int:  # pyright: ignore[reportUnusedFunction]
        """Add two numbers."""
        return a + b

    @server.tool()
    def reset() -> None:  # pyright: ignore[reportUnusedFunction]
        pass

    return server


def paged(next_cursor: Callable[[int], str | None]) -> Server:
    """Make a server with one tool a page; `next_cursor` is given the number of the page."""

    async def list_tools(
        _: Any, params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        page = int(params.cursor) if params and params.cursor else 0
        tool = types.Tool(name=f"tool_{page}", input_schema={"type": "object"})
        return types.ListToolsResult(tools=[tool], next_cursor=next_cursor(page))

    return Server("paged", on_list_tools=list_tools)


def http(status: int, content_type: str = "text/plain", body: str = "no") -> bytes:
    return (
        f"HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\nconnection: close\r\n"
        f"content-length: {len(body)}\r\n\r\n{body}"
    ).encode()


def visit(url: str) -> TenantServer:
    return TenantServer(TenantId("acme"), Target(url))


async def failure(servers: McpToolServers, url: str) -> tuple[str, str]:
    """Give code and text of what went wrong."""
    with pytest.raises(ToolServerError) as caught:
        async with asyncio.timeout(WITHIN_S):
            await servers.list_tools(visit(url))
    assert caught.value.unsent
    return caught.value.code, caught.value.text


async def test_tools_come_as_their_server_describes_them(
    servers: McpToolServers, serve_mcp: ServeMcp
) -> None:
    add, reset = (await servers.list_tools(visit(serve_mcp(calculator())))).tools

    assert (add.name, add.description) == ("add", "Add two numbers.")
    assert add.annotations == {"readOnlyHint": True, "title": "Sum"}
    assert set(add.input_schema["properties"]) == {"a", "b"}
    assert (reset.name, reset.annotations) == ("reset", None)


async def test_a_server_of_the_2025_protocols_is_asked_too_and_its_session_ended(
    servers: McpToolServers, serve_mcp: ServeMcp
) -> None:
    seen: list[str] = []

    tools = (await servers.list_tools(visit(serve_mcp(calculator(), seen)))).tools

    assert [tool.name for tool in tools] == ["add", "reset"]
    await servers.aclose()
    assert seen[-1] == "DELETE"


async def test_all_pages_are_read_in_order(servers: McpToolServers, serve_mcp: ServeMcp) -> None:
    url = serve_mcp(paged(lambda page: str(page + 1) if page + 1 < PAGES else None))

    tools = (await servers.list_tools(visit(url))).tools

    assert tools == [Tool(name=f"tool_{n}", input_schema={"type": "object"}) for n in range(PAGES)]


async def test_an_empty_cursor_ends_the_list(servers: McpToolServers, serve_mcp: ServeMcp) -> None:
    assert len((await servers.list_tools(visit(serve_mcp(paged(lambda _: ""))))).tools) == 1


async def test_a_list_without_end_is_refused(servers: McpToolServers, serve_mcp: ServeMcp) -> None:
    code, text = await failure(servers, serve_mcp(paged(lambda page: str(page + 1))))

    assert (code, text) == ("mcp_protocol_error", "Its list has more than 100 pages.")


async def test_a_server_without_tools_is_refused_in_its_own_words(
    servers: McpToolServers, serve_mcp: ServeMcp
) -> None:
    code, text = await failure(servers, serve_mcp(Server("no tools")))

    # A server of the 2026 protocol says it with a status, too.
    assert (code, text) == ("mcp_http_error", "Http status code: 404 (Not Found).")


async def test_a_port_where_nobody_listens_is_unreachable(
    servers: McpToolServers, dead_url: str
) -> None:
    assert (await failure(servers, dead_url))[0] == "mcp_unreachable"


async def test_a_host_that_does_not_exist_is_unreachable(servers: McpToolServers) -> None:
    assert (await failure(servers, "http://nobody.invalid/mcp"))[0] == "mcp_unreachable"


async def test_a_caller_survives_what_the_sdk_does_to_its_connection(
    servers: McpToolServers, dead_url: str, serve_mcp: ServeMcp
) -> None:
    me = asyncio.current_task()
    assert me

    await failure(servers, dead_url)

    assert me.cancelling() == 0
    assert await servers.list_tools(visit(serve_mcp(calculator())))


async def test_a_caller_that_is_cancelled_leaves_no_connection_behind(
    servers: McpToolServers, serve_bytes: ServeBytes
) -> None:
    asking = asyncio.create_task(servers.list_tools(visit(await serve_bytes(None))))
    await asyncio.sleep(0)

    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    async with asyncio.timeout(WITHIN_S):
        await servers.aclose()


@pytest.mark.parametrize(
    ("status", "phrase"),
    [(401, "Unauthorized"), (403, "Forbidden"), (500, "Internal Server Error"), (599, "unknown")],
)
async def test_an_http_error_is_told_with_its_status(
    servers: McpToolServers, serve_bytes: ServeBytes, status: int, phrase: str
) -> None:
    for content_type, body in (("text/plain", "no"), ("application/json", '{"error": "no"}')):
        url = await serve_bytes(http(status, content_type, body))

        assert await failure(servers, url) == (
            "mcp_http_error",
            f"Http status code: {status} ({phrase}).",
        )


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (http(200, "text/html", "<html>"), "mcp_protocol_error"),
        (http(200, "application/json", "[]"), "mcp_protocol_error"),
        (http(200, "application/json", "{"), "mcp_protocol_error"),
        (http(200, "text/event-stream", "data: hello\n\n"), "mcp_protocol_error"),
        (http(202), "mcp_protocol_error"),
        (http(307), "mcp_protocol_error"),
        (b"SSH-2.0-OpenSSH_9.9\r\n\r\n", "mcp_protocol_error"),
        (
            http(200, "application/json", "{}").replace(b"length: 2", b"length: 99"),
            "mcp_unreachable",
        ),
        (http(200, "text/event-stream", ""), "mcp_unreachable"),
        (b"", "mcp_unreachable"),
    ],
)
async def test_a_server_that_is_no_mcp_server_is_told_apart(
    servers: McpToolServers, serve_bytes: ServeBytes, answer: bytes, code: str
) -> None:
    assert (await failure(servers, await serve_bytes(answer)))[0] == code


async def test_what_a_server_sends_is_neither_quoted_at_length_nor_logged(
    servers: McpToolServers, serve_bytes: ServeBytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    url = await serve_bytes(http(200, "application/json", '{"secret": "' + "x" * 5000 + '"}'))

    _, text = await failure(servers, url)

    assert "secret" not in text
    assert caplog.records == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mcp",
        "ftp://host/mcp",
        "file:///etc/passwd",
        "http://",
        "http:///mcp",
        "stdio:run",
        "http://[::1",
        "HTTP//host",
        "http://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/mcp",
    ],
)
async def test_only_urls_that_may_be_asked_are_asked(servers: McpToolServers, url: str) -> None:
    assert (await failure(servers, url))[0] == "invalid_server_url"


GOOD = {"name": "good", "inputSchema": {"type": "object"}}
BROKEN: dict[str, Any] = {
    "no_schema": {},
    "text": {"inputSchema": "object"},
    "array": {"inputSchema": {"type": "array"}},
    "unknown_type": {"inputSchema": {"type": "object", "properties": {"n": {"type": "strin"}}}},
    "torn": {"inputSchema": {"type": "object", "properties": "n"}},
    "requires_text": {"inputSchema": {"type": "object", "required": "n"}},
    "deep": {"inputSchema": {"type": "object", "properties": {"n": {"anyOf": [{"items": 7}]}}}},
    "numbered": {"inputSchema": {"type": "object"}, "description": 7},
    "hinting": {"inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": "perhaps"}},
    "a\u200bb": {"inputSchema": {"type": "object"}},
}


@pytest.mark.parametrize("version", ["2025-11-25", "2026-07-28"])
@pytest.mark.parametrize("name", [*BROKEN, None])
async def test_one_tool_that_is_none_costs_no_other(
    servers: McpToolServers, serve_script: Any, name: str | None, version: str
) -> None:
    bad = [{"name": each, **BROKEN[each]} for each in BROKEN if name in (each, None)]
    told: list[object] = [GOOD, *bad, {**GOOD, "name": "better"}]
    if name is None:
        told += [7, None, {"inputSchema": {}}]

    async def say(asked: Any, _: Any) -> bytes:
        return answer(asked, told, version)

    listing = await servers.list_tools(visit((await serve_script(say)).url))

    assert [tool.name for tool in listing.tools] == ["good", "better"]
    seen = {each["name"].replace("\u200b", "") for each in bad}
    assert set(listing.left_out) - {""} == seen


def answer(asked: Any, tools: list[object], version: str) -> bytes:
    """What a server of that protocol says to a list."""
    found: dict[str, Any] = {"tools": tools}
    if version >= "2026":
        found |= {"ttlMs": 0, "cacheScope": "private", "resultType": "complete"}
    told = {"jsonrpc": "2.0", "id": asked.body.get("id"), "result": found}
    return http(200, "application/json", json.dumps(told)).replace(b"connection: close\r\n", b"")
