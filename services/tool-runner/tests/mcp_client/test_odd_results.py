"""Results that are not quite as MCP demands them, and text that is not Unicode, on real sockets."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from mcp_types import CallToolResult
from mcp_types.methods import parse_server_result

from turnwire_contracts.ids import TenantId
from turnwire_tool_runner.calling.call_supervisor import CallSupervisor, SupervisionTimeouts
from turnwire_tool_runner.mcp_client.call_results import readable
from turnwire_tool_runner.mcp_client.client import McpToolServers
from turnwire_tool_runner.tool_servers import (
    Target,
    TenantServer,
    ToolCallRequest,
    ToolOutcome,
    ToolServerError,
)

ServeScript = Callable[[Any], Awaitable[Any]]

WITHIN_S = 30
BAD = "\N{REPLACEMENT CHARACTER}"
JSON, EVENTS = "application/json", "text/event-stream"
PIXEL = {"data": "AAAA", "mimeType": "image/png"}


def http(body: bytes, content_type: str = JSON) -> bytes:
    head = f"HTTP/1.1 200 X\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def as_json(message: bytes) -> bytes:
    return http(message)


def as_event(message: bytes) -> bytes:
    return http(b"event: message\r\ndata: " + message + b"\r\n\r\n", EVENTS)


transports = pytest.mark.parametrize("way", [as_json, as_event])


async def act(
    servers: McpToolServers,
    serve_script: ServeScript,
    way: Callable[[bytes], bytes],
    result: bytes,
    name: str = "act",
) -> ToolOutcome:
    async def say(told: Any, _: asyncio.StreamWriter) -> bytes:
        number = json.dumps(told.body.get("id")).encode()
        return way(b'{"jsonrpc":"2.0","id":%s,"result":%s}' % (number, result))

    server = await serve_script(say)
    visit = TenantServer(TenantId("acme"), Target(server.url))
    watch = CallSupervisor(SupervisionTimeouts(WITHIN_S, 2 * WITHIN_S))
    async with asyncio.timeout(WITHIN_S):
        outcome = await watch.run(lambda: servers.call(visit, ToolCallRequest(name, {}), watch))
    assert next(told.body for told in server.told if told.name == "tools/call")["params"][
        "name"
    ] == (name)
    return outcome


@transports
@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({"structuredContent": {"a": 1}}, '{"a":1}'),
        ({"structuredContent": {"a": 1}, "content": None}, '{"a":1}'),
        ({"structuredContent": {"a": 1}, "content": []}, '{"a":1}'),
        ({"structuredContent": [1, "b"]}, '[1,"b"]'),
        ({"structuredContent": "told", "content": None}, "told"),
        ({"structuredContent": 7, "content": [{"type": "text", "text": "seven"}]}, "seven"),
        ({"content": "told"}, "told"),
        ({"content": {"type": "text", "text": "told"}}, "told"),
        ({"content": ["a", "b"]}, "a\nb"),
        ({"content": [{"text": "told"}]}, "told"),
        ({"content": [{"type": None, "text": "told"}]}, "told"),
        ({"content": [{"type": "output_text", "text": "told"}]}, "told"),
        ({"content": [{"type": "text", "text": 7}]}, "7"),
        ({"content": [{"type": "text", "text": "told", "annotations": "x"}]}, "told"),
        ({"content": [None, {"type": "text", "text": "told"}]}, "told"),
        ({"content": [PIXEL]}, "[image/png, 3 bytes]"),
        ({"content": [{"type": "json", "json": {"a": 1}}]}, '{"type":"json","json":{"a":1}}'),
        ({"content": [{"resource": {"uri": "a://b", "text": "told"}}]}, "[resource a://b]\ntold"),
        ({"content": 7}, "7"),
        ({"content": False}, "false"),
        ({"content": []}, ""),
        ({"toolResult": {"a": 1}}, '{"a":1}'),
        ({"content": [{"type": "text", "text": "told"}], "isError": None, "_meta": None}, "told"),
        ({"content": [{"type": "text", "text": "told"}], "_meta": "x"}, "told"),
    ],
)
async def test_what_can_be_read_is_the_answer(
    servers: McpToolServers,
    serve_script: ServeScript,
    way: Callable[[bytes], bytes],
    result: Any,
    text: str,
) -> None:
    outcome = await act(servers, serve_script, way, json.dumps(result).encode())
    assert (outcome.text, outcome.is_error) == (text, False)


@pytest.mark.parametrize("said", [True, "true"])
async def test_an_odd_result_may_be_an_error_of_the_tool(
    servers: McpToolServers, serve_script: ServeScript, said: object
) -> None:
    result = json.dumps({"content": "It is closed.", "isError": said}).encode()
    outcome = await act(servers, serve_script, as_json, result)
    assert (outcome.text, outcome.is_error) == ("It is closed.", True)


@transports
@pytest.mark.parametrize(
    ("result", "fault"),
    [
        ({}, "has no `content`"),
        ({"content": None}, "has no `content`"),
        ({"isError": True}, "has no `content`"),
        ({"output": "x"}, "has no `content`"),
        ({"content": [{"type": "text"}]}, "has no `content.0.text`"),
        ({"content": "a", "isError": "very"}, "has a `isError` that is not what MCP wants there"),
    ],
)
async def test_a_result_that_cannot_be_read_is_refused_by_tool_and_field(
    servers: McpToolServers,
    serve_script: ServeScript,
    way: Callable[[bytes], bytes],
    result: Any,
    fault: str,
) -> None:
    with pytest.raises(ToolServerError) as caught:
        await act(servers, serve_script, way, json.dumps(result).encode(), "find it")
    assert caught.value.code == "mcp_protocol_error"
    assert caught.value.text == f"The result of the tool 'find it' {fault}."


@pytest.mark.parametrize("version", ["2025-06-18", "2025-11-25", "2026-07-28"])
@pytest.mark.parametrize(
    ("content", "kinds"),
    [
        ([PIXEL, "a"], ["image", "text"]),
        ([{"type": "text", "text": "a", "_meta": 7}], ["text"]),
        ({"uri": "a://b", "name": "n"}, ["resource_link"]),
        ({"data": "AAAA", "mimeType": "audio/wav"}, ["audio"]),
    ],
)
def test_parts_are_mended_in_every_version_of_the_protocol(
    content: Any, kinds: list[str], version: str
) -> None:
    whole = {"resultType": "complete"} if version >= "2026" else {}
    mended = readable({**whole, "content": content}, version)
    read = parse_server_result("tools/call", version, mended)
    assert isinstance(read, CallToolResult)
    assert [part.type for part in read.content] == kinds


@transports
@pytest.mark.parametrize(
    ("written", "read"),
    [
        (rb"a\ud83d", f"a{BAD}"),
        (rb"\ude00b", f"{BAD}b"),
        (rb"\uDE00\uD83D", BAD + BAD),
        (rb"\ud83d\ude00", "😀"),
        (rb"\\ud83d", r"\ud83d"),
        (b"a\xffb", f"a{BAD}b"),
        (b"a\xc3", f"a{BAD}"),
        (b"\xe4\xf6", BAD + BAD),
        ("Grüße 東京 🌧".encode(), "Grüße 東京 🌧"),
    ],
)
async def test_a_bad_character_costs_itself_alone(
    servers: McpToolServers,
    serve_script: ServeScript,
    way: Callable[[bytes], bytes],
    written: bytes,
    read: str,
) -> None:
    for result in (
        b'{"content":[{"type":"text","text":"%s"}]}' % written,
        b'{"content":"%s"}' % written,
    ):
        assert (await act(servers, serve_script, way, result)).text == read
    structured = await act(servers, serve_script, way, b'{"structuredContent":{"%s":1}}' % written)
    assert json.loads(structured.text) == {read: 1}


async def test_a_byte_order_mark_is_no_text(
    servers: McpToolServers, serve_script: ServeScript
) -> None:
    outcome = await act(
        servers, serve_script, lambda body: http(b"\xef\xbb\xbf" + body), b'{"content":"told"}'
    )
    assert outcome.text == "told"


@transports
async def test_a_list_with_bad_characters_offers_its_tools(
    servers: McpToolServers, serve_script: ServeScript, way: Callable[[bytes], bytes]
) -> None:
    tools = rb'[{"name":"a/b","description":"x\ud83d","inputSchema":{"type":"object"}}]'

    async def say(told: Any, _: asyncio.StreamWriter) -> bytes:
        number = json.dumps(told.body.get("id")).encode()
        return way(b'{"jsonrpc":"2.0","id":%s,"result":{"tools":%s}}' % (number, tools))

    server = await serve_script(say)
    listing = await servers.list_tools(TenantServer(TenantId("acme"), Target(server.url)))
    assert [(tool.name, tool.description) for tool in listing.tools] == [("a/b", f"x{BAD}")]
    assert listing.left_out == ()


@pytest.mark.parametrize("name", ["fs/read file", "größe.東京", "x" * 300, "a;b{}", "🌧"])
async def test_a_tool_is_called_by_its_own_name(
    servers: McpToolServers, serve_script: ServeScript, name: str
) -> None:
    assert (await act(servers, serve_script, as_json, b'{"content":[]}', name)).text == ""


async def test_events_that_come_in_pieces_are_mended(
    servers: McpToolServers, serve_script: ServeScript
) -> None:
    async def say(told: Any, writer: asyncio.StreamWriter) -> bytes | None:
        if "id" not in told.body:
            return http(b"")
        number = json.dumps(told.body["id"]).encode()
        result = rb'{"content":[{"type":"text","text":"a\ud83d b"}]}'
        body = b'data:{"jsonrpc":"2.0","id":%s,"result":%s}\n\n' % (number, result)
        head = f"HTTP/1.1 200 X\r\ncontent-type: {EVENTS}\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode())
        for at in range(len(body)):
            writer.write(body[at : at + 1])
            await writer.drain()
        return b""

    server = await serve_script(say)
    visit, watch = (
        TenantServer(TenantId("acme"), Target(server.url)),
        CallSupervisor(SupervisionTimeouts(WITHIN_S, 2 * WITHIN_S)),
    )
    outcome = await watch.run(lambda: servers.call(visit, ToolCallRequest("act", {}), watch))
    assert outcome.text == f"a{BAD} b"
