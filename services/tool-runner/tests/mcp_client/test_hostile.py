"""Servers that do what they should not, on real sockets: each costs its own visit and no more."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from turnwire_contracts.ids import TenantId
from turnwire_tool_runner.calling.call_supervisor import CallSupervisor, SupervisionTimeouts
from turnwire_tool_runner.mcp_client.client import McpToolServers
from turnwire_tool_runner.tool_servers import (
    Target,
    TenantServer,
    ToolCallRequest,
    ToolOutcome,
    ToolServerError,
)

ServeScript = Callable[[Any], Awaitable[Any]]
Script = Callable[[Any, asyncio.StreamWriter], Awaitable[bytes | None]]

WITHIN_S = 30
SILENCE_S = 1.5
"""How long a server may say nothing: its handshake must be done in it on a busy machine, too."""
OBJECT = {"type": "object"}
JSON, EVENTS = "application/json", "text/event-stream"
STREAM = f"HTTP/1.1 200 X\r\ncontent-type: {EVENTS}\r\nconnection: close\r\n\r\n".encode()


def http(status: int, body: str = "no", content_type: str = JSON, head: str = "") -> bytes:
    size = f"content-length: {len(body.encode())}\r\n{head}"
    return f"HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\n{size}\r\n{body}".encode()


def result(told: Any, found: object) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": told.body["id"], "result": found})


def calling(answer: Script) -> Script:
    """Answer calls in this way, and what is no request with 202."""

    async def script(told: Any, writer: asyncio.StreamWriter) -> bytes | None:
        if "id" in told.body and "method" in told.body:
            return await answer(told, writer)
        return http(202)

    return script


def visit(url: str) -> TenantServer:
    return TenantServer(TenantId("acme"), Target(url))


async def act(servers: McpToolServers, url: str, silence_s: float = WITHIN_S) -> ToolOutcome:
    watch = CallSupervisor(SupervisionTimeouts(silence_s, 2 * silence_s))
    async with asyncio.timeout(WITHIN_S):
        return await watch.run(lambda: servers.call(visit(url), ToolCallRequest("act", {}), watch))


async def failure(
    servers: McpToolServers, url: str, silence_s: float = WITHIN_S
) -> ToolServerError:
    with pytest.raises(ToolServerError) as caught:
        await act(servers, url, silence_s)
    assert not caught.value.unsent
    return caught.value


async def unlisted(servers: McpToolServers, url: str) -> ToolServerError:
    with pytest.raises(ToolServerError) as caught:
        async with asyncio.timeout(WITHIN_S):
            await servers.list_tools(visit(url))
    return caught.value


NO_MCP = [
    http(200, "<html>", "text/html"),
    http(200, "[]"),
    http(200, "{"),
    http(200, "\xff"),
    http(200, "null"),
    http(200, "{}"),
    http(200, '{"jsonrpc": "1.0", "id": 3, "result": {}}'),
    http(200, "data: hello\n\n", EVENTS),
    http(200, "x", JSON, "content-encoding: gzip\r\n"),
    http(200, "[" * 100_000),
    http(202),
    http(204, ""),
    http(302, "", JSON, "location: http://127.0.0.1:1/mcp\r\n"),
    http(307, "", JSON, "location: http://169.254.169.254/mcp\r\n"),
    b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
    b"HTTP/1.1 200 X\r\n" + b"x-pad: " + b"x" * 200_000 + b"\r\n\r\n",
]


@pytest.mark.parametrize("answer", NO_MCP, ids=range(len(NO_MCP)))
async def test_what_is_no_answer_to_a_call_is_an_error_of_the_protocol(
    servers: McpToolServers,
    serve_script: ServeScript,
    answer: bytes,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)

    async def say(*_: Any) -> bytes:
        return answer

    server = await serve_script(calling(say))
    error = await failure(servers, server.url)

    assert error.code == "mcp_protocol_error"
    assert len(error.text) < 1100
    assert caplog.records == []


WRONG_RESULTS: list[object] = [
    None,
    {},
    {"content": None},
    {"content": [{"type": "image", "mimeType": "image/png"}]},
    {"content": [{"type": "text"}]},
    {"content": [], "isError": "very"},
    {"content": [], "isError": []},
    {"tools": []},
]


@pytest.mark.parametrize("found", WRONG_RESULTS, ids=range(len(WRONG_RESULTS)))
async def test_a_result_that_is_none_is_an_error_of_the_protocol(
    servers: McpToolServers, serve_script: ServeScript, found: object
) -> None:
    async def say(told: Any, _: asyncio.StreamWriter) -> bytes:
        return http(200, result(told, found))

    server = await serve_script(calling(say))

    assert (await failure(servers, server.url)).code == "mcp_protocol_error"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 418, 429, 500, 503, 599])
async def test_an_http_error_is_told_with_its_status(
    servers: McpToolServers, serve_script: ServeScript, status: int
) -> None:
    async def say(*_: Any) -> bytes:
        return http(status, '{"error": "no"}')

    server = await serve_script(calling(say))
    error = await failure(servers, server.url)

    assert (error.code, error.number) == ("mcp_http_error", status)


CUT_OFF = [
    b"",
    b"HTTP/1.1 200 X\r\ncontent-ty",
    b"HTTP/1.1 200 X\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{",
    f"HTTP/1.1 200 X\r\ncontent-type: {EVENTS}\r\ntransfer-encoding: chunked\r\n\r\n".encode(),
    f"HTTP/1.1 200 X\r\ncontent-type: {EVENTS}\r\ntransfer-encoding: chunked\r\n\r\n"
    "6\r\n: hi\n\n\r\n".encode(),
    STREAM,
]


@pytest.mark.parametrize("resets", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("said", CUT_OFF, ids=range(len(CUT_OFF)))
async def test_a_server_that_dies_in_mid_call_is_no_error_of_the_protocol(
    servers: McpToolServers, serve_script: ServeScript, said: bytes, *, resets: bool
) -> None:
    async def die(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await writer.drain()
        if resets:
            writer.transport.abort()

    server = await serve_script(calling(die))
    error = await failure(servers, server.url)

    assert error.code == "mcp_unreachable"
    assert "before it had answered" in error.text
    assert server.count("tools/call") == 1


async def test_a_server_that_says_nothing_is_left_after_a_while(
    servers: McpToolServers, serve_script: ServeScript
) -> None:
    async def hang(*_: Any) -> bytes:
        await asyncio.Event().wait()
        return b""

    server = await serve_script(calling(hang))

    assert (await failure(servers, server.url, SILENCE_S)).code == "mcp_timeout"


@pytest.mark.parametrize("drop", [b": still here\n\n", b"d", b"data: \n\n"])
async def test_bytes_that_say_nothing_are_no_progress(
    servers: McpToolServers, serve_script: ServeScript, drop: bytes
) -> None:
    async def drip(_: Any, writer: asyncio.StreamWriter) -> bytes | None:
        writer.write(STREAM)
        while not writer.is_closing():
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(0.02)
        return None

    server = await serve_script(calling(drip))

    assert (await failure(servers, server.url, SILENCE_S)).code == "mcp_timeout"


async def test_progress_without_end_ends_all_the_same(
    servers: McpToolServers, serve_script: ServeScript
) -> None:
    async def promise(told: Any, writer: asyncio.StreamWriter) -> bytes | None:
        token = told.body["params"]["_meta"]["progressToken"]
        note = {"progressToken": token, "progress": 1, "message": "soon"}
        event = json.dumps({"jsonrpc": "2.0", "method": "notifications/progress", "params": note})
        writer.write(STREAM)
        while not writer.is_closing():
            writer.write(f"data: {event}\n\n".encode())
            await writer.drain()
            await asyncio.sleep(0.02)
        return None

    server = await serve_script(calling(promise))
    error = await failure(servers, server.url, SILENCE_S)

    assert (error.code, error.text) == ("mcp_timeout", f"It took longer than {2 * SILENCE_S:g} s.")


@pytest.mark.parametrize("content_type", [JSON, EVENTS])
async def test_an_answer_without_end_is_not_read_to_its_end(
    servers: McpToolServers, serve_script: ServeScript, content_type: str
) -> None:
    async def pour(_: Any, writer: asyncio.StreamWriter) -> bytes | None:
        writer.write(STREAM.replace(EVENTS.encode(), content_type.encode()))
        writer.write(b'data: {"jsonrpc":"2.0","id":3,"result":{"content":[{"type":"text","text":"')
        while not writer.is_closing():
            writer.write(b"x" * 65536)
            await writer.drain()
        return None

    server = await serve_script(calling(pour))
    error = await failure(servers, server.url)

    assert error.code == "mcp_protocol_error"
    assert "is larger than" in error.text


async def test_an_answer_that_breaks_off_costs_its_call_and_the_next_a_handshake(
    servers: McpToolServers, serve_script: ServeScript
) -> None:
    async def stop(told: Any, writer: asyncio.StreamWriter) -> bytes | None:
        if server.count("tools/call") > 1:
            return http(200, result(told, {"content": []}))
        writer.write(http(200, '{"jsonrpc"').replace(b"length: 10", b"length: 99"))
        await writer.drain()
        return None

    server = await serve_script(calling(stop))

    assert (await failure(servers, server.url)).code == "mcp_unreachable"
    assert await act(servers, server.url) == ToolOutcome("")
    assert (server.count("initialize"), server.count("tools/call")) == (2, 2)


async def test_a_stream_that_ends_without_an_answer_is_a_lost_connection(
    servers: McpToolServers, serve_script: ServeScript
) -> None:
    async def end(*_: Any) -> bytes:
        return http(200, "", EVENTS)

    server = await serve_script(calling(end))

    assert (await failure(servers, server.url)).code == "mcp_unreachable"


async def test_a_stream_that_wants_to_be_resumed_for_ever_is_not(
    servers: McpToolServers, serve_script: ServeScript
) -> None:
    async def again(*_: Any) -> bytes:
        return http(200, "id: 1\nretry: 0\ndata: \n\n", EVENTS)

    server = await serve_script(again)
    asked = calling(again)

    async def script(told: Any, writer: asyncio.StreamWriter) -> bytes | None:
        return await (again if told.name == "GET" else asked)(told, writer)

    server.script = script
    error = await failure(servers, server.url)

    assert error.code == "mcp_unreachable"
    assert server.count("GET") <= 101


async def test_questions_of_a_server_are_answered_only_so_often(
    servers: McpToolServers, serve_script: ServeScript
) -> None:
    async def flood(told: Any, _: asyncio.StreamWriter) -> bytes:
        pings = [json.dumps({"jsonrpc": "2.0", "id": n, "method": "ping"}) for n in range(1000)]
        events = [*pings, result(told, {"content": []})]
        return http(200, "".join(f"data: {event}\n\n" for event in events), EVENTS)

    server = await serve_script(calling(flood))

    assert await act(servers, server.url) == ToolOutcome("")
    assert sum("result" in told.body for told in server.told) <= 100


async def test_a_server_that_never_takes_leave_keeps_nobody(
    servers: McpToolServers, serve_script: ServeScript
) -> None:
    async def hang(*_: Any) -> bytes:
        await asyncio.Event().wait()
        return b""

    server = await serve_script(calling(hang))
    calls = [asyncio.create_task(act(servers, server.url)) for _ in range(3)]
    await server.hears("tools/call", 3)
    for each in calls:
        each.cancel()

    loop = asyncio.get_running_loop()
    began = loop.time()
    await asyncio.gather(*calls, return_exceptions=True)
    await servers.aclose()

    assert loop.time() - began < WITHIN_S


async def test_ten_thousand_tools_are_too_many(
    servers: McpToolServers, serve_script: ServeScript
) -> None:
    async def many(told: Any, _: asyncio.StreamWriter) -> bytes:
        page = int(told.body.get("params", {}).get("cursor", 0))
        tools = [{"name": f"t{page}_{n}", "inputSchema": OBJECT} for n in range(1000)]
        return http(200, result(told, {"tools": tools, "nextCursor": str(page + 1)}))

    server = await serve_script(calling(many))
    error = await unlisted(servers, server.url)

    assert (error.code, error.text) == ("mcp_protocol_error", "Its list has more than 5000 tools.")


async def test_a_list_that_leads_in_a_circle_is_left_at_once(
    servers: McpToolServers, serve_script: ServeScript
) -> None:
    async def circle(told: Any, _: asyncio.StreamWriter) -> bytes:
        return http(200, result(told, {"tools": [], "nextCursor": "again"}))

    server = await serve_script(calling(circle))
    error = await unlisted(servers, server.url)

    assert error.code == "mcp_protocol_error"
    assert server.count("tools/list") == 2
