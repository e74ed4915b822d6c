"""The adapter to MCP servers: calls share sessions, and errors get a code of the catalogue."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

from turnwire_tool_runner.mcp_client.exchange import EXCHANGE, ExchangeState
from turnwire_tool_runner.mcp_client.faults import fault
from turnwire_tool_runner.mcp_client.results import outcome
from turnwire_tool_runner.mcp_client.rules import McpRules
from turnwire_tool_runner.mcp_client.session import Session
from turnwire_tool_runner.mcp_client.sessions import Sessions, Transports
from turnwire_tool_runner.tool_servers import (
    CallObserver,
    Listing,
    TenantServer,
    ToolCallRequest,
    ToolOutcome,
    ToolServerError,
)

T = TypeVar("T")

_CLOSE_WITHIN_S = 0.15
# A fresh session finds out whether these are the session's fault.
_BREAKING = {"mcp_timeout", "mcp_unreachable"}


class McpToolServers:
    """Asks MCP servers."""

    def __init__(self, transports: Transports, rules: McpRules) -> None:
        self._sessions = Sessions(transports, rules.sessions)
        self._rules = rules
        # What goes wrong reaches us as an error; these would also log what servers answered, and
        # what they were told.
        for name in ("mcp", "client", "httpx2", "httpcore2"):
            logging.getLogger(name).setLevel(logging.CRITICAL)

    async def prepare(self) -> None:
        """See `ToolServers`: this module has loaded it."""

    async def list_tools(self, visit: TenantServer) -> Listing:
        """Give all tools of a server. Raises ToolServerError."""
        return await self._visit(visit, lambda session: session.tools(), None)

    async def call(
        self, visit: TenantServer, call: ToolCallRequest, observer: CallObserver
    ) -> ToolOutcome:
        """Call a tool. Raises ToolServerError."""

        async def work(session: Session) -> ToolOutcome:
            if call.digest is not None:
                await self._check(session, call)
            result = await session.call(call, observer)
            return outcome(result, self._rules.max_output_bytes)

        return await self._visit(visit, work, observer)

    async def aclose(self) -> None:
        """Close all sessions."""
        try:
            async with asyncio.timeout(_CLOSE_WITHIN_S):
                await self._sessions.aclose()
        except TimeoutError:
            self._sessions.end()

    async def _visit(
        self,
        visit: TenantServer,
        work: Callable[[Session], Awaitable[T]],
        observer: CallObserver | None,
    ) -> T:
        for _ in range(2):
            exchange = ExchangeState(observer=observer)
            EXCHANGE.set(exchange)
            session = self._sessions.borrow(visit)
            was_open = session.is_open
            try:
                await session.ready()
                return await work(session)
            except (MCPError, ValidationError, ToolServerError) as error:
                cause = fault(error, exchange)
                is_lost = isinstance(error, MCPError) and exchange.has_lost_session(error.code)
                if not is_lost and not _breaks(cause):
                    raise cause from None
                session.is_retired = True
                # It is sent again only if it is certain that the server has not taken it.
                if not was_open or (exchange.has_left and not is_lost):
                    raise cause from None
            finally:
                self._sessions.give_back(visit, session)
        raise ToolServerError("mcp_unreachable", "It cannot be reached.", unsent=True)

    async def _check(self, session: Session, call: ToolCallRequest) -> None:
        """Raise `tool_changed` if a tool is not what the caller relies on."""
        for max_age_s in (0.0,) if call.approved else (self._rules.list_max_age_s, 0.0):
            tools = (await session.tools(max_age_s)).tools
            # The second time, the list is new: it may have become right since.
            if any(tool.name == call.name and tool.digest == call.digest for tool in tools):
                return
        text = f"The tool '{call.name}' is not what it was when it was chosen."
        raise ToolServerError("tool_changed", text, unsent=True)


def _breaks(found: BaseException) -> bool:
    """Whether the session may be at fault."""
    return isinstance(found, ToolServerError) and found.code in _BREAKING
