"""One MCP session, kept open by a task of its own.

The SDK cancels the task that holds a connection when that breaks (python-sdk#3560). So a session's
owner is never the task of a caller; callers send their messages through it from their own tasks.
"""

import asyncio
from importlib.metadata import version
from typing import Any, cast

import httpx2
import mcp_types as types
from mcp.client import Client
from mcp.client.session import ClientSession, IncomingMessage
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from pydantic import TypeAdapter, ValidationError

from turnwire_chassis.crash_points import reached
from turnwire_chassis.telemetry.correlation import outgoing
from turnwire_tool_runner.mcp_client.call_results import missing
from turnwire_tool_runner.mcp_client.cleaning import clean, offered
from turnwire_tool_runner.mcp_client.exchange import EXCHANGE, ExchangeState
from turnwire_tool_runner.mcp_client.faults import fault
from turnwire_tool_runner.mcp_client.incoming import Incoming
from turnwire_tool_runner.mcp_client.wire import SharedTransport
from turnwire_tool_runner.tool_servers import (
    CallObserver,
    Listing,
    Target,
    ToolCallRequest,
    ToolServerError,
)

_WE = types.Implementation(name="turnwire", version=version("turnwire-tool-runner"))

_CONNECT_WITHIN_S = 10.0
_WRITE_WITHIN_S = 30.0
_HANDSHAKE_WITHIN_S = 30.0
# A server whose list never ends is stopped before its caller's patience is.
_MAX_PAGES = 100
_MAX_TOOLS = 5000
# MCP: a result may say "ask again"; what it asks of a person is not answered here.
_MAX_ROUNDS = 10
_MAX_SAID = 200
_ASK_AGAIN_S = 0.25

_RESULT: TypeAdapter[types.CallToolResult | types.InputRequiredResult] = TypeAdapter(
    types.CallToolResult | types.InputRequiredResult
)


class Session:
    """Opens at once; used by many tasks at once; once it breaks, it stays broken."""

    def __init__(self, target: Target, transport: httpx2.AsyncBaseTransport) -> None:
        """Needs a running event loop; the session starts to open."""
        self._target = target
        self._wire = SharedTransport(transport)
        self._handshake = ExchangeState(is_handshake=True)
        loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[ClientSession] = loop.create_future()
        self._closing = asyncio.Event()
        self._incoming = Incoming(self._version)
        self._listed = Listing([])
        self._listed_at = float("-inf")
        self._listing = asyncio.Lock()
        self.is_retired = False
        """Whether it gets no new users."""
        self.users = 0
        self.owner = asyncio.create_task(self._own())
        self.owner.add_done_callback(_looked_at)

    @property
    def is_usable(self) -> bool:
        """Whether it is open, or may yet be."""
        return not (self.is_retired or self.owner.done() or self._closing.is_set())

    @property
    def is_open(self) -> bool:
        """Whether the handshake is done."""
        return self._opened.done()

    async def ready(self) -> None:
        """Wait until it is open. Raises ToolServerError."""
        if not self._opened.done():
            await asyncio.wait({self._opened, self.owner}, return_when=asyncio.FIRST_COMPLETED)
        if not self._opened.done():
            ended = None if self.owner.cancelled() else self.owner.exception()
            raise fault(ended, self._handshake)

    async def tools(self, max_age_s: float = 0.0) -> Listing:
        """Give all tools, by a list that is not older. Raises what `fault` explains."""
        asked_at = _now()
        async with self._listing:
            # A task that waited here takes the list that another has got meanwhile.
            if self._listed_at < asked_at - max_age_s:
                listed_at = _now()
                self._listed = await self._all_tools()
                self._listed_at = listed_at
            return self._listed

    async def call(self, call: ToolCallRequest, observer: CallObserver) -> types.CallToolResult:
        """Call a tool. Raises what `fault` explains."""
        try:
            return await self._call(call, observer)
        except MCPError as error:
            if error.code != types.HEADER_MISMATCH:
                raise
        # MCP 2026: parameters that the server wants as headers are named in its list. It has
        # refused the call unseen.
        await self.tools()
        return await self._call(call, observer)

    def close(self) -> None:
        """Take leave of the server; what still opens is cut off."""
        self._closing.set()
        if not self._opened.done():
            self.owner.cancel()

    async def _own(self) -> None:
        EXCHANGE.set(self._handshake)
        # The deadlines of answers belong to those who wait for them.
        timeout = httpx2.Timeout(None, connect=_CONNECT_WITHIN_S, write=_WRITE_WITHIN_S)
        # A client of its own: one for all would carry cookies between tenants.
        http = httpx2.AsyncClient(
            transport=self._wire,
            headers=list(self._target.headers),
            timeout=timeout,
            trust_env=False,
        )
        try:
            async with asyncio.timeout(_HANDSHAKE_WITHIN_S) as patience, http:
                # The transport bounds events, and all else that is read.
                streams = self._incoming.over(
                    streamable_http_client(
                        self._target.url, http_client=http, max_sse_event_size=None
                    )
                )
                async with Client(
                    streams, cache=None, message_handler=self._hear, client_info=_WE
                ) as client:
                    patience.reschedule(None)
                    self._handshake.is_handshake = False
                    self._opened.set_result(client.session)
                    await self._closing.wait()
        except TimeoutError as error:
            text = f"It did not answer within {_HANDSHAKE_WITHIN_S:g} s."
            raise ToolServerError("mcp_timeout", text, unsent=True) from error

    async def _hear(self, message: IncomingMessage) -> None:
        if isinstance(message, types.ToolListChangedNotification):
            self._listed_at = float("-inf")

    def _version(self) -> str:
        """Give the protocol that is spoken; nothing is listed before that is known."""
        version = self._opened.result().protocol_version if self._opened.done() else None
        return version or types.LATEST_PROTOCOL_VERSION

    async def _all_tools(self) -> Listing:
        session, cursor = self._opened.result(), None
        self._incoming.names.clear()
        tools: list[types.Tool] = []
        cursors: set[str] = set()
        for _ in range(_MAX_PAGES):
            page = await session.list_tools(params=types.PaginatedRequestParams(cursor=cursor))
            tools.extend(page.tools)
            cursor = page.next_cursor
            # Some servers write "" where the protocol wants nothing.
            if not cursor:
                return offered(tools, self._incoming.names)
            if cursor in cursors:
                raise _endless("Its list leads back to where it was.")
            if len(tools) > _MAX_TOOLS:
                raise _endless(f"Its list has more than {_MAX_TOOLS} tools.")
            cursors.add(cursor)
        raise _endless(f"Its list has more than {_MAX_PAGES} pages.")

    async def _call(self, call: ToolCallRequest, observer: CallObserver) -> types.CallToolResult:
        async def on_progress(progress: float, total: float | None, message: str | None) -> None:
            del progress, total
            await observer.progressed(message and clean(message, _MAX_SAID))

        state: str | None = None
        for _ in range(_MAX_ROUNDS):
            params = types.CallToolRequestParams(
                name=call.name,
                arguments=call.arguments,
                request_state=state,
                # MCP (SEP-414): where in a trace the call belongs.
                _meta=cast("types.RequestParamsMeta | None", outgoing() or None),
            )
            # `call_tool` would check the result by the server's own schema: a pattern in there can
            # take for ever, and a result that is there would be lost.
            reached("tool.before")
            try:
                result = await self._opened.result().send_request(
                    types.CallToolRequest(params=params), _RESULT, progress_callback=on_progress
                )
                reached("tool.after")
            except ValidationError as error:
                text = f"The result of the tool '{clean(call.name, _MAX_SAID)}' {missing(error)}."
                raise ToolServerError("mcp_protocol_error", text) from error
            if isinstance(result, types.CallToolResult):
                return result
            if result.input_requests:
                break
            state = result.request_state
            await asyncio.sleep(_ASK_AGAIN_S)
        text = "It asked for more input, which it cannot be given."
        raise ToolServerError("mcp_protocol_error", text, number=types.INVALID_REQUEST)


def _endless(text: str) -> ToolServerError:
    return ToolServerError("mcp_protocol_error", text, unsent=True)


def _looked_at(owner: asyncio.Task[Any]) -> None:
    if not owner.cancelled():
        # Read, or asyncio would log an exception that was never retrieved.
        owner.exception()


def _now() -> float:
    return asyncio.get_running_loop().time()
