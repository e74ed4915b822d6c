"""MCP servers over streamable HTTP: the one module that knows the SDK and its HTTP client.

The SDK cancels the task that holds a connection when a request gets no response (python-sdk#3560).
So each connection lives in a task of its own, its owner, which is never the task of a caller; a
caller waits for its result and for the owner's end, whichever comes first.
"""

import asyncio
import logging
from http import HTTPStatus
from http.client import responses
from typing import cast

import httpx2
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import CONNECTION_CLOSED
from mcp_types import Tool as McpTool
from pydantic import ValidationError

from turnwire_contracts.queries import Tool
from turnwire_tool_runner.tool_servers import ToolServerError

# A server whose list never ends is stopped before its caller's patience is.
_MAX_PAGES = 100
_MAX_CONNECTIONS = 256
_MAX_IDLE_CONNECTIONS = 64
_MAX_QUOTE = 200


class McpToolServers:
    """Asks MCP servers; all their connections share one pool."""

    def __init__(self) -> None:
        """Make the pool and its TLS context, which costs 40 ms."""
        self._pool = httpx2.AsyncHTTPTransport(
            limits=httpx2.Limits(
                max_connections=_MAX_CONNECTIONS, max_keepalive_connections=_MAX_IDLE_CONNECTIONS
            )
        )
        self._owners: set[asyncio.Task[None]] = set()
        # What goes wrong reaches us as an error; the SDK would also log what servers answered.
        for name in ("mcp", "client"):
            logging.getLogger(name).setLevel(logging.CRITICAL)

    async def list_tools(self, url: str, timeout_s: float) -> list[Tool]:
        """Give all tools of a server, in its own order. Raises ToolServerError.

        A server of the 2025 protocols has a session, which its owner ends after the answer.
        """
        _refuse_other_than_http(url)
        wire = _Wire(self._pool)
        listed: asyncio.Future[list[Tool]] = asyncio.get_running_loop().create_future()
        owner = asyncio.create_task(_visit(url, wire, timeout_s, listed))
        self._owners.add(owner)
        owner.add_done_callback(self._forget)
        try:
            await asyncio.wait(
                {listed, owner}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
            if listed.done():
                return listed.result()
            if owner.done():
                raise _reason(owner, wire)
            raise ToolServerError("mcp_timeout", f"It did not answer within {timeout_s:g} s.")
        finally:
            if not listed.done():
                owner.cancel()

    async def aclose(self) -> None:
        """Let every connection go."""
        for owner in self._owners:
            owner.cancel()
        if self._owners:
            await asyncio.wait(self._owners)
        await self._pool.aclose()

    def _forget(self, owner: asyncio.Task[None]) -> None:
        self._owners.discard(owner)
        if not owner.cancelled():
            # Looked at, or asyncio would complain of an exception that nobody saw.
            owner.exception()


class _Wire(httpx2.AsyncBaseTransport):
    """The shared pool as one visit sees it; keeps what the SDK does not pass on."""

    def __init__(self, pool: httpx2.AsyncHTTPTransport) -> None:
        self._pool = pool
        self.status = 0
        """The status of the last answer to a message."""
        self.failure: httpx2.TransportError | None = None
        """Why a message got no answer."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        # GET and DELETE are extras of the 2025 protocols that a server may refuse.
        if request.method != "POST":
            return await self._pool.handle_async_request(request)
        try:
            response = await self._pool.handle_async_request(request)
        except httpx2.TransportError as error:
            self.failure = error
            raise
        self.status = response.status_code
        return response

    async def aclose(self) -> None:
        """Leave the pool open for the others."""


async def _visit(
    url: str, wire: _Wire, timeout_s: float, listed: asyncio.Future[list[Tool]]
) -> None:
    # A client of its own for each visit (90 µs): one for all would carry cookies between tenants.
    async with (
        httpx2.AsyncClient(transport=wire, timeout=timeout_s, trust_env=False) as http,
        Client(streamable_http_client(url, http_client=http), cache=None) as client,
    ):
        listed.set_result(await _all_tools(client))


async def _all_tools(client: Client) -> list[Tool]:
    tools: list[Tool] = []
    cursor: str | None = None
    for _ in range(_MAX_PAGES):
        page = await client.list_tools(cursor=cursor)
        tools.extend(_tool(tool) for tool in page.tools)
        cursor = page.next_cursor
        # Some servers write "" where the protocol wants nothing.
        if not cursor:
            return tools
    raise ToolServerError("mcp_protocol_error", f"Its list has more than {_MAX_PAGES} pages.")


def _tool(tool: McpTool) -> Tool:
    annotations = tool.annotations
    return Tool(
        name=tool.name,
        input_schema=tool.input_schema,
        description=tool.description,
        annotations=annotations.model_dump(by_alias=True, exclude_none=True)
        if annotations
        else None,
    )


def _refuse_other_than_http(url: str) -> None:
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise ToolServerError("invalid_server_url", f"'server_url' is no URL: {error}") from error
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise ToolServerError("invalid_server_url", "'server_url' must be an http or https URL.")


def _reason(owner: asyncio.Task[None], wire: _Wire) -> BaseException:
    error = wire.failure if owner.cancelled() else _innermost(owner.exception())
    match error:
        case ToolServerError():
            return error
        case httpx2.TimeoutException():
            return ToolServerError("mcp_timeout", "It did not answer in time.")
        case httpx2.ProtocolError() | httpx2.DecodingError() | ValidationError():
            return ToolServerError("mcp_protocol_error", "It does not speak HTTP and MCP.")
        case httpx2.RequestError() | None:
            return ToolServerError("mcp_unreachable", "It cannot be reached.")
        case MCPError():
            return _refused(error, wire.status)
        case _:
            return error


def _refused(error: MCPError, status: int) -> ToolServerError:
    if status >= HTTPStatus.BAD_REQUEST:
        phrase = responses.get(status, "unknown")
        return ToolServerError("mcp_http_error", f"Http status code: {status} ({phrase}).")
    if error.code == CONNECTION_CLOSED:
        return ToolServerError("mcp_unreachable", "It closed the connection.")
    # The rest of a longer message quotes what the server sent.
    lines = error.message.splitlines() or [""]
    return ToolServerError("mcp_protocol_error", f"It answered: {lines[0][:_MAX_QUOTE]}")


def _innermost(error: BaseException | None) -> BaseException | None:
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return _innermost(group.exceptions[0])
    return error
