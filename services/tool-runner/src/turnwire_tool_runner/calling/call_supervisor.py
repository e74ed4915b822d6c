"""Supervises one call: a heartbeat each second, time limits, cancellation."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from turnwire_tool_runner.tool_servers import ToolServerError

T = TypeVar("T")

SendHeartbeat = Callable[[str | None], Awaitable[None]]
"""Sends a heartbeat, with the last progress text of the tool."""

HEARTBEAT_S = 1.0


@dataclass(frozen=True, slots=True)
class SupervisionTimeouts:
    """How long a call may take."""

    silence_s: float
    """Seconds without an answer or a sign of progress from the tool."""
    limit_s: float
    """Seconds in all."""


class CallSupervisor:
    """Supervises one call, or one request for a list."""

    def __init__(self, patience: SupervisionTimeouts) -> None:
        self._loop = asyncio.get_running_loop()
        self._patience = patience
        self._ends_at = self._loop.time() + patience.limit_s
        self._heard_at = self._loop.time()
        self._progress: str | None = None
        self._given_up: asyncio.Future[None] = self._loop.create_future()
        self._has_left = False
        self._ending: set[asyncio.Task[Any]] = set()

    def leaving(self) -> None:
        """Note that the call is about to be sent: from here on the server may have got it."""
        self._has_left = True

    async def progressed(self, message: str | None = None) -> None:
        """Note a sign of progress of the tool, and its text (MCP: `notifications/progress`)."""
        self._heard_at = self._loop.time()
        self._progress = message

    def give_up(self) -> None:
        """Cancel the call; a second time changes nothing."""
        if not self._given_up.done():
            self._given_up.set_result(None)

    @asynccontextmanager
    async def heartbeats(self, send: SendHeartbeat) -> AsyncGenerator[None]:
        """Send a heartbeat each second, so that a call whose runner died is noticed.

        A call that ends within a second sends none.
        """
        beating = asyncio.create_task(self._beat(send))
        try:
            yield
        finally:
            beating.cancel()

    async def prepared(self, preparing: Awaitable[None]) -> None:
        """Wait for what must be there before the server can be asked; no time limit counts it."""
        began = self._loop.time()
        await preparing
        self._ends_at += self._loop.time() - began

    async def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run `work` and give its result.

        Raises what it raises, and `ToolServerError`: `mcp_timeout`, or `cancelled` after `give_up`.
        Work that is given up is cancelled and not waited for: it may send a cancellation first.
        """
        if self._given_up.done():
            raise self._ended("cancelled", "cancelled")
        self._heard_at = self._loop.time()
        task = asyncio.create_task(work())
        try:
            while not task.done():
                if self._given_up.done():
                    raise self._ended("cancelled", "cancelled")
                if self._left_s <= 0:
                    raise self._too_late()
                await asyncio.wait(
                    {task, self._given_up},
                    timeout=self._left_s,
                    return_when=asyncio.FIRST_COMPLETED,
                )
            return await task
        finally:
            if not task.done():
                self._let_go(task)

    @property
    def _left_s(self) -> float:
        """Seconds until the call is late."""
        return min(self._heard_at + self._patience.silence_s, self._ends_at) - self._loop.time()

    async def _beat(self, send: SendHeartbeat) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            text, self._progress = self._progress, None
            await send(text)

    def _too_late(self) -> ToolServerError:
        if self._loop.time() >= self._ends_at:
            text = f"It took longer than {self._patience.limit_s:g} s."
        else:
            text = f"It did not answer within {self._patience.silence_s:g} s."
        return self._ended("mcp_timeout", text)

    def _ended(self, code: Literal["cancelled", "mcp_timeout"], text: str) -> ToolServerError:
        return ToolServerError(code, text, unsent=not self._has_left)

    def _let_go(self, task: asyncio.Task[Any]) -> None:
        # Kept until it is done: asyncio holds tasks only weakly.
        self._ending.add(task)
        task.add_done_callback(self._gone)
        task.cancel()

    def _gone(self, task: asyncio.Task[Any]) -> None:
        self._ending.discard(task)
        if not task.cancelled():
            # Read, or asyncio would log an exception that was never retrieved.
            task.exception()
