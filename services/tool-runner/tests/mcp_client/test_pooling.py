"""Sessions that are shared, kept, left, and opened anew, counted by the server itself."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from turnwire_contracts.ids import TenantId
from turnwire_tool_runner.mcp_client.client import McpToolServers
from turnwire_tool_runner.mcp_client.rules import McpRules, SessionRules
from turnwire_tool_runner.tool_servers import (
    Target,
    TenantServer,
    ToolCallRequest,
    ToolOutcome,
    ToolServerError,
)

ServeScript = Callable[[Any], Awaitable[Any]]
MakeServers = Callable[[McpRules], AsyncGenerator[McpToolServers]]

WITHIN_S = 20
JSON = "application/json"


class NoSigns:
    """Wants to know nothing."""

    def leaving(self) -> None:
        pass

    async def progressed(self, message: str | None = None) -> None:
        pass


def visit(url: str, tenant: str = "acme", *headers: tuple[str, str]) -> TenantServer:
    return TenantServer(TenantId(tenant), Target(url, headers))


async def act(servers: McpToolServers, who: TenantServer, name: str = "act") -> ToolOutcome:
    async with asyncio.timeout(WITHIN_S):
        return await servers.call(who, ToolCallRequest(name, {}), NoSigns())


def http(status: int, body: str = "no", content_type: str = JSON) -> bytes:
    head = f"HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}"
    return f"{head}\r\n\r\n{body}".encode()


def result(told: Any, text: str = "done") -> bytes:
    found = {"content": [{"type": "text", "text": text}]}
    return http(200, json.dumps({"jsonrpc": "2.0", "id": told.body["id"], "result": found}))


async def answering(told: Any, _: asyncio.StreamWriter) -> bytes:
    """Answer each call."""
    return result(told) if told.name == "tools/call" else http(202)


async def test_one_handshake_serves_many_calls(
    servers: McpToolServers, serve_script: ServeScript
) -> None:
    server = await serve_script(answering)

    await asyncio.gather(*(act(servers, visit(server.url)) for _ in range(20)))
    await act(servers, visit(server.url))

    assert (server.count("initialize"), server.count("tools/call")) == (1, 21)


async def test_no_session_is_shared_between_tenants_or_credentials(
    servers: McpToolServers, serve_script: ServeScript
) -> None:
    server = await serve_script(answering)

    for who in (
        visit(server.url, "acme"),
        visit(server.url, "other"),
        visit(server.url, "acme", ("authorization", "Bearer 1")),
        visit(server.url, "acme", ("authorization", "Bearer 2")),
        visit(server.url, "acme", ("authorization", "Bearer 2")),
    ):
        await act(servers, who)

    assert server.count("initialize") == 4
    told = [each.headers.get("authorization") for each in server.told if each.name == "tools/call"]
    assert told == [None, None, "Bearer 1", "Bearer 2", "Bearer 2"]


async def test_a_session_that_nobody_uses_is_ended(
    make_servers: MakeServers, rules: McpRules, serve_script: ServeScript
) -> None:
    server = await serve_script(answering)
    short = replace(rules, sessions=SessionRules(most=8, idle_s=0.05))

    async for servers in make_servers(short):
        await act(servers, visit(server.url))
        await server.hears("DELETE", 1)
        await act(servers, visit(server.url))

    assert server.count("initialize") == 2


async def test_only_so_many_are_kept_and_the_oldest_goes(
    make_servers: MakeServers, rules: McpRules, serve_script: ServeScript
) -> None:
    server = await serve_script(answering)
    few = replace(rules, sessions=SessionRules(most=2, idle_s=60))

    async for servers in make_servers(few):
        for tenant in ("a", "b", "a", "c"):
            await act(servers, visit(server.url, tenant))
        await server.hears("DELETE", 1)
        assert server.count("initialize") == 3
        await act(servers, visit(server.url, "a"))
        assert server.count("initialize") == 3
        await act(servers, visit(server.url, "b"))
        assert server.count("initialize") == 4


NO_SESSION = json.dumps(
    {"jsonrpc": "2.0", "id": None, "error": {"code": -32000, "message": "No valid session ID"}}
)


@pytest.mark.parametrize("forgets", [http(404), http(400, NO_SESSION)])
async def test_a_server_that_has_forgotten_the_session_is_met_anew(
    servers: McpToolServers, serve_script: ServeScript, forgets: bytes
) -> None:
    forgotten = False

    async def forget(told: Any, _: asyncio.StreamWriter) -> bytes:
        nonlocal forgotten
        if told.name == "tools/call" and forgotten:
            forgotten = False
            return forgets
        return await answering(told, _)

    server = await serve_script(forget)
    await act(servers, visit(server.url))
    forgotten = True

    assert (await act(servers, visit(server.url))).text == "done"
    assert (server.count("initialize"), server.count("tools/call")) == (2, 3)


async def test_a_server_that_was_away_is_met_anew(
    servers: McpToolServers, serve_script: ServeScript
) -> None:
    server = await serve_script(answering)
    await act(servers, visit(server.url))
    await server.stop()

    with pytest.raises(ToolServerError) as caught:
        await act(servers, visit(server.url))
    assert (caught.value.code, caught.value.unsent) == ("mcp_unreachable", True)

    await server.start()
    assert (await act(servers, visit(server.url))).text == "done"


async def test_a_call_that_has_left_is_never_sent_again(
    servers: McpToolServers, serve_script: ServeScript
) -> None:
    async def drop(told: Any, writer: asyncio.StreamWriter) -> bytes | None:
        if told.name != "tools/call" or server.count("tools/call") == 1:
            return await answering(told, writer)
        return None

    server = await serve_script(drop)
    await act(servers, visit(server.url))

    with pytest.raises(ToolServerError) as caught:
        await act(servers, visit(server.url))

    assert not caught.value.unsent
    assert server.count("tools/call") == 2


async def test_a_call_whose_connection_breaks_takes_no_other_with_it(
    servers: McpToolServers, serve_script: ServeScript
) -> None:
    broken, both = asyncio.Event(), asyncio.Event()

    async def drop(told: Any, _: asyncio.StreamWriter) -> bytes | None:
        match told.body.get("params", {}).get("name"):
            case "bad":
                await both.wait()
                return None
            case "good":
                both.set()
                await broken.wait()
                return result(told)
            case _:
                return await answering(told, _)

    server = await serve_script(drop)
    good = asyncio.create_task(act(servers, visit(server.url), "good"))
    with pytest.raises(ToolServerError):
        await act(servers, visit(server.url), "bad")
    broken.set()

    assert (await good).text == "done"
    assert server.count("initialize") == 1


async def test_a_caller_that_gives_up_while_a_session_opens_leaves_nothing_behind(
    servers: McpToolServers, serve_bytes: Callable[[bytes | None], Awaitable[str]]
) -> None:
    calling = asyncio.create_task(act(servers, visit(await serve_bytes(None))))
    await asyncio.sleep(0)

    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling

    async with asyncio.timeout(WITHIN_S):
        await servers.aclose()


async def test_a_list_that_has_changed_is_asked_for_again(
    servers: McpToolServers, serve_script: ServeScript
) -> None:
    changed = json.dumps({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})

    async def serve(told: Any, _: asyncio.StreamWriter) -> bytes:
        if told.name == "tools/list":
            tools = {"tools": [{"name": "act", "inputSchema": {"type": "object"}}]}
            return http(200, json.dumps({"jsonrpc": "2.0", "id": told.body["id"], "result": tools}))
        body = result(told).split(b"\r\n\r\n")[1].decode()
        events = f"data: {changed}\n\ndata: {body}\n\n"
        return http(200, events, "text/event-stream")

    server = await serve_script(serve)
    [tool] = (await servers.list_tools(visit(server.url))).tools
    call = ToolCallRequest("act", {}, tool.digest)

    for _ in range(3):
        async with asyncio.timeout(WITHIN_S):
            await servers.call(visit(server.url), call, NoSigns())

    # The first call knew the list, and each announced that it was old.
    assert server.count("tools/list") == 3


async def test_lists_that_are_wanted_at_once_are_asked_for_once(
    servers: McpToolServers, serve_script: ServeScript
) -> None:
    async def serve(told: Any, writer: asyncio.StreamWriter) -> bytes:
        if told.name == "tools/list":
            tools = {"tools": [{"name": "act", "inputSchema": {"type": "object"}}]}
            return http(200, json.dumps({"jsonrpc": "2.0", "id": told.body["id"], "result": tools}))
        return await answering(told, writer)

    server = await serve_script(serve)
    [tool] = (await servers.list_tools(visit(server.url))).tools
    await servers.aclose()
    who = visit(server.url, "other")

    calls = [
        servers.call(who, ToolCallRequest("act", {}, tool.digest), NoSigns()) for _ in range(10)
    ]
    async with asyncio.timeout(WITHIN_S):
        await asyncio.gather(*calls)

    assert server.count("tools/list") == 2
