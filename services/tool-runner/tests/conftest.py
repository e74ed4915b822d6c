"""Servers for the tool-runner to meet: real MCP servers, and some that are anything but."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from mcp.server.lowlevel import Server
from mcp.server.mcpserver import MCPServer
from starlette.types import ASGIApp

from turnwire_chassis.http_server import TaskServer

LOOPBACK = "127.0.0.1"


@dataclass
class OfThe2025Protocols:
    """A server that knows sessions and nothing newer; keeps the method of each request."""

    app: ASGIApp
    seen: list[str] = field(default_factory=list[str])

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        self.seen.append(scope["method"])
        if (b"mcp-protocol-version", b"2026-07-28") in scope["headers"]:
            await send({"type": "http.response.start", "status": 400, "headers": []})
            await send({"type": "http.response.body", "body": b"unknown protocol version"})
        else:
            await self.app(scope, receive, send)


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
