"""MCP servers for a process that may never be asked for one: the first question loads the SDK.

It is more than a third of what a tool-runner needs to start.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from turnwire_tool_runner.tool_servers import (
    CallObserver,
    Listing,
    TenantServer,
    ToolCallRequest,
    ToolOutcome,
    ToolServers,
)


class OpenToolServers(ToolServers, Protocol):
    """Servers with sessions that are to be closed."""

    async def aclose(self) -> None:
        """Close all sessions."""
        ...


class ToolServersOnDemand:
    """Asks servers that are made, in a thread, when the first of them is asked."""

    def __init__(self, make: Callable[[], OpenToolServers]) -> None:
        """`make` may take its time; it is called once."""
        self._make = make
        self._making: asyncio.Task[OpenToolServers] | None = None

    async def prepare(self) -> None:
        """See `ToolServers`."""
        await self._made()

    async def list_tools(self, visit: TenantServer) -> Listing:
        """See `ToolServers`."""
        return await (await self._made()).list_tools(visit)

    async def call(
        self, visit: TenantServer, call: ToolCallRequest, observer: CallObserver
    ) -> ToolOutcome:
        """See `ToolServers`."""
        return await (await self._made()).call(visit, call, observer)

    async def aclose(self) -> None:
        """Close all sessions."""
        if self._making is not None:
            await (await self._making).aclose()

    async def _made(self) -> OpenToolServers:
        if self._making is None:
            self._making = asyncio.create_task(asyncio.to_thread(self._make))
        # An asker that gives up does not stop it: others wait for it, too.
        return await asyncio.shield(self._making)
