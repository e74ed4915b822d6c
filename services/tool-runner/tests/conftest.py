"""Servers for the tool-runner to meet: real MCP servers, and some that are anything but."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from mcp.server.lowlevel import Server
from mcp.server.mcpserver import MCPServer
from nats.aio.client import Client
from starlette.types import ASGIApp

from turnwire_chassis.broker import connect
from turnwire_chassis.http.server import TaskServer
from turnwire_dev.instance.ports import LOOPBACK
from turnwire_testing.service_processes import StartService, service_processes
from turnwire_testing.waiting import eventually
from turnwire_tool_runner.mcp_client.client import McpToolServers
from turnwire_tool_runner.mcp_client.rules import McpRules, SessionRules
from turnwire_tool_runner.outbound.connecting import SystemResolver
from turnwire_tool_runner.outbound.policy import Outbound
from turnwire_tool_runner.transports import OutboundTransports

WITHIN_S = 20
RULES = McpRules(SessionRules(most=8, idle_s=60), list_max_age_s=60, max_output_bytes=10_000)

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


@dataclass
class OfThe2025Protocols:
    """A server that knows sessions and nothing newer; keeps the method of each request."""

    app: ASGIApp
    seen: list[str] = field(default_factory=list[str])

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        self.seen.append(scope["method"])
        if (b"mcp-protocol-version", b"2026-07-28") in scope["headers"]:
            await send({"type": "http.response.start", "status": 400, "headers": []})
            await send({"type": "http.response.body", "body": b"unknown protocol version"})
        else:
            await self.app(scope, receive, send)


@dataclass
class Told:
    """A request that a scripted server got."""

    method: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def name(self) -> str:
        """The MCP method, or HTTP's where there is none."""
        return str(self.body.get("method", self.method))


Script = Callable[[Told, asyncio.StreamWriter], Awaitable[bytes | None]]
"""Gives the whole answer to a request; `None`: it has written what it had to say."""


def http(status: int, content_type: str = "text/plain", body: str = "no") -> bytes:
    """Give an HTTP answer."""
    encoded = body.encode()
    head = f"HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\n"
    return f"{head}content-length: {len(encoded)}\r\n\r\n".encode() + encoded


@dataclass
class Scripted:
    """A server of the 2025 protocols by hand: its handshake is right, the rest is the script's."""

    script: Script
    url: str = ""
    told: list[Told] = field(default_factory=list[Told])
    connections: int = 0
    _servers: list[asyncio.Server] = field(default_factory=list[asyncio.Server])
    _writers: list[asyncio.StreamWriter] = field(default_factory=list[asyncio.StreamWriter])

    async def start(self) -> None:
        """Listen on a free port, or again on the one it had."""
        port = int(self.url.split(":")[2].split("/")[0]) if self.url else 0
        server = await asyncio.start_server(self._meet, LOOPBACK, port)
        self._servers.append(server)
        self.url = f"http://{LOOPBACK}:{port_of(server.sockets[0])}/mcp"

    async def stop(self) -> None:
        """Drop all connections and take no more."""
        for server in self._servers:
            server.close()
        for writer in self._writers:
            writer.transport.abort()
        for server in self._servers:
            await server.wait_closed()
        self._servers.clear()
        self._writers.clear()

    def count(self, name: str) -> int:
        """How often a method was asked for."""
        return sum(told.name == name for told in self.told)

    async def hears(self, name: str, times: int) -> None:
        """Wait until a method was asked for so often."""

        async def has_heard() -> bool:
            return self.count(name) == times

        await eventually(has_heard)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        try:
            while True:
                told = await _read(reader)
                self.told.append(told)
                answer = _handshake(told) or await self.script(told, writer)
                if answer is None:
                    break
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Told:
    head, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Told(head.split()[0], headers, json.loads(body) if body else {})


def _handshake(told: Told) -> bytes | None:
    match told.name:
        case "server/discover":
            return http(400)
        case "initialize":
            found: dict[str, Any] = {
                "protocolVersion": "2025-11-25",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "scripted", "version": "1"},
            }
            body = json.dumps({"jsonrpc": "2.0", "id": told.body["id"], "result": found})
            answer = http(200, "application/json", body)
            return answer.replace(b"\r\n\r\n", b"\r\nmcp-session-id: s1\r\n\r\n", 1)
        case "notifications/initialized":
            return http(202)
        case "GET":
            return http(405)
        case "DELETE":
            return http(200)
        case _:
            return None


@pytest.fixture
async def start_runner(tmp_path: Path) -> AsyncGenerator[StartService]:
    """Start tool-runners for a broker; those that still run afterwards are killed."""
    module, private = "turnwire_tool_runner", "loopback"
    async with service_processes(module, tmp_path, TURNWIRE_ALLOW_PRIVATE_URLS=private) as start:
        yield start


@pytest.fixture
async def client(nats_url: str) -> AsyncGenerator[Client]:
    """A connection to the broker, as another service has one."""
    connected = await connect(nats_url, "tool-runner-test")
    yield connected
    await connected.close()


@pytest.fixture
async def servers() -> AsyncGenerator[McpToolServers]:
    """The adapter, allowed to connect to this machine."""
    async for each in adapters(RULES):
        yield each


async def adapters(rules: McpRules) -> AsyncGenerator[McpToolServers]:
    """Make the adapter with rules of the test's own."""
    resolver = SystemResolver()
    transports = OutboundTransports(Outbound.parse("loopback"), resolver)
    adapter = McpToolServers(transports, rules)
    yield adapter
    await adapter.aclose()
    await transports.aclose()
    resolver.close()


@pytest.fixture
def make_servers() -> Callable[[McpRules], AsyncGenerator[McpToolServers]]:
    """Make the adapter with other rules."""
    return adapters


@pytest.fixture
def rules() -> McpRules:
    """The rules of `servers`."""
    return RULES


@pytest.fixture
async def serve_script() -> AsyncGenerator[Callable[[Script], Awaitable[Scripted]]]:
    """Start a scripted server."""
    running: list[Scripted] = []

    async def serve(script: Script) -> Scripted:
        server = Scripted(script)
        await server.start()
        running.append(server)
        return server

    yield serve
    for server in running:
        await server.stop()


@pytest.fixture
async def serve_mcp() -> AsyncGenerator[Callable[..., str]]:
    """Serve an MCP server over streamable HTTP on a free port; gives its URL.

    With `seen`, it is one of the 2025 protocols and notes the method of each request there.
    """
    running: list[tuple[TaskServer, asyncio.Task[None]]] = []

    def serve(server: MCPServer | Server, seen: list[str] | None = None) -> str:
        app = server.streamable_http_app()
        listening = socket.create_server((LOOPBACK, 0))
        uvicorn = TaskServer(
            app if seen is None else OfThe2025Protocols(app, seen), LOOPBACK, port_of(listening)
        )

        async def host() -> None:
            async with server.session_manager.run():
                await uvicorn.serve(sockets=[listening])

        running.append((uvicorn, asyncio.create_task(host())))
        return f"http://{LOOPBACK}:{port_of(listening)}/mcp"

    yield serve
    for uvicorn, hosting in running:
        uvicorn.force_exit = True
        uvicorn.should_exit = True
        await hosting


@pytest.fixture
async def serve_bytes() -> AsyncGenerator[Callable[[bytes | None], Awaitable[str]]]:
    """Answer each connection with these bytes and close it, or never with `None`; gives the URL."""
    servers: list[asyncio.Server] = []
    silent = asyncio.Event()

    async def serve(answer: bytes | None) -> str:
        async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            # Read to its end: closing with something unread would reset the connection.
            await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split()[0]))
            if answer is None:
                await silent.wait()
            else:
                writer.write(answer)
                await writer.drain()
            writer.close()

        server = await asyncio.start_server(meet, LOOPBACK, 0)
        servers.append(server)
        return f"http://{LOOPBACK}:{port_of(server.sockets[0])}/mcp"

    yield serve
    silent.set()
    for server in servers:
        server.close()
        await server.wait_closed()


@pytest.fixture
def dead_url() -> str:
    """The URL of a port where nobody listens."""
    with socket.create_server((LOOPBACK, 0)) as taken:
        return f"http://{LOOPBACK}:{port_of(taken)}/mcp"


def port_of(listening: Any) -> int:
    """Give the port that the system chose."""
    return int(listening.getsockname()[1])
