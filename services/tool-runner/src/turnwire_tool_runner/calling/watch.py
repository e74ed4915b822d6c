"""One call as its asker sees it: a sign of life each second, a time limit, an end on demand."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from turnwire_tool_runner.tool_servers import ToolServerError

T = TypeVar("T")

Tell = Callable[[str | None], Awaitable[None]]
"""Gives a sign of life, and what the tool said last."""

BEAT_S = 1.0


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds."""

    silence_s: float
    """Without an answer or a sign of progress from the tool."""
    limit_s: float
    """In all."""


class Watch:
    """Watches over one call."""

    def __init__(self, patience: Patience) -> None:
        """Nothing has left yet."""
        self._loop = asyncio.get_running_loop()
        self._patience = patience
        self._ends_at = self._loop.time() + patience.limit_s
        self._heard_at = self._loop.time()
        self._said: str | None = None
        self._given_up: asyncio.Future[None] = self._loop.create_future()
        self._has_left = False
        self._ending: set[asyncio.Task[Any]] = set()

    def leaving(self) -> None:
        """From here on, nobody can say that the server did not get it."""
        self._has_left = True

    async def progressed(self, message: str | None = None) -> None:
        """The tool says that it works on it."""
        self._heard_at = self._loop.time()
        self._said = message

    def give_up(self) -> None:
        """Nobody wants the answer any more; doing it twice is as doing it once."""
        if not self._given_up.done():
            self._given_up.set_result(None)

    @asynccontextmanager
    async def beating(self, tell: Tell) -> AsyncGenerator[None]:
        """Tell each second that somebody has the call: once this runner is dead, nobody does.

        What ends within a second is told by its answer.
        """
        beating = asyncio.create_task(self._beat(tell))
        try:
            yield
        finally:
            beating.cancel()

    async def over(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Give what comes of the work. Raises what it raises, and ToolServerError.

        Work that is given up is cancelled, and not waited for: it may have somebody to tell.
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
        """How long the next sign may take."""
        return min(self._heard_at + self._patience.silence_s, self._ends_at) - self._loop.time()

    async def _beat(self, tell: Tell) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            said, self._said = self._said, None
            await tell(said)

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
            # Looked at, or asyncio would complain of an exception that nobody saw.
            task.exception()
