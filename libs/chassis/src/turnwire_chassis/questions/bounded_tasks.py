"""Work that goes on side by side, up to a bound; with the bound reached, more has to wait."""

import asyncio
from collections.abc import Callable, Coroutine


class BoundedTasks:
    """Runs coroutines as tasks, never more than `limit` at once."""

    def __init__(self, limit: int) -> None:
        """Run nothing yet."""
        self._free = asyncio.Semaphore(limit)
        self._running: set[asyncio.Task[None]] = set()

    async def start(self, work: Callable[[], Coroutine[None, None, None]]) -> None:
        """Start work as soon as there is room; returns when it has started, not when it is done."""
        await self._free.acquire()
        task = asyncio.create_task(work())
        self._running.add(task)
        task.add_done_callback(self._end)

    async def finish(self) -> None:
        """Wait until nothing runs."""
        if self._running:
            await asyncio.wait(self._running)

    def cancel(self) -> None:
        """End what runs."""
        for task in self._running:
            task.cancel()

    def _end(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._free.release()
        if not task.cancelled():
            # Looked at, or asyncio would complain of an exception that nobody saw.
            task.exception()
