"""How much goes on at once: limits with a bounded queue, by key, for tasks, and over a list."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Hashable, Iterable
from contextlib import asynccontextmanager
from typing import TypeVar

OneT = TypeVar("OneT")
DoneT = TypeVar("DoneT")


class FullError(Exception):
    """As many wait for a place as may."""


class ConcurrencyLimit:
    """Lets a number in at once, first come, first served."""

    def __init__(self, most: int, most_waiting: int | None = None) -> None:
        """Let `most` in; `most_waiting` more may wait for a place (`None`: any number)."""
        self._free = asyncio.Semaphore(most)
        self._most_inside = None if most_waiting is None else most + most_waiting
        self._inside = 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in, and nothing waits."""
        return not self._inside

    @asynccontextmanager
    async def slot(self) -> AsyncGenerator[None]:
        """Hold a place; waits for one. Raises `FullError` at once when too many wait."""
        await self.enter()
        try:
            yield
        finally:
            self.leave()

    async def enter(self) -> None:
        """Take a place, which `leave` gives back; waits for one. Raises `FullError`."""
        if self._most_inside is not None and self._inside >= self._most_inside:
            raise FullError
        self._inside += 1
        try:
            await self._free.acquire()
        except BaseException:
            self._inside -= 1
            raise

    def leave(self) -> None:
        """Give back a place."""
        self._inside -= 1
        self._free.release()


class KeyedConcurrencyLimit:
    """A `ConcurrencyLimit` for each key; keys that nothing uses take no memory."""

    def __init__(self, most: int, most_waiting: int) -> None:
        """Let `most` in at once for each key, and let `most_waiting` wait for each."""
        self._most = most
        self._most_waiting = most_waiting
        self._limits: dict[Hashable, ConcurrencyLimit] = {}

    @asynccontextmanager
    async def slot(self, key: Hashable) -> AsyncGenerator[None]:
        """Hold a place of this key; waits for one. Raises `FullError`."""
        limit = self._limits.get(key)
        if limit is None:
            limit = self._limits[key] = ConcurrencyLimit(self._most, self._most_waiting)
        try:
            async with limit.slot():
                yield
        finally:
            if limit.is_idle:
                self._limits.pop(key, None)


class BoundedTasks:
    """Runs coroutines as tasks, never more than `limit` at once."""

    def __init__(self, limit: int) -> None:
        """`limit`: how many run at once; any number may wait to be started."""
        self._limit = ConcurrencyLimit(limit)
        self._running: set[asyncio.Task[None]] = set()

    async def start(self, work: Callable[[], Coroutine[None, None, None]]) -> None:
        """Start `work` as a task once there is room; returns when it has started.

        What the task raises is dropped: `work` logs its own errors.
        """
        await self._limit.enter()
        task = asyncio.create_task(work())
        self._running.add(task)
        task.add_done_callback(self._end)

    async def finish(self) -> None:
        """Wait until all tasks have ended."""
        if self._running:
            await asyncio.wait(self._running)

    def cancel(self) -> None:
        """Cancel all tasks, without waiting for their end."""
        for task in self._running:
            task.cancel()

    def _end(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._limit.leave()
        if not task.cancelled():
            # Read, or asyncio would log an exception that was never retrieved.
            task.exception()


async def gather_bounded(
    do: Callable[[OneT], Awaitable[DoneT]], over: Iterable[OneT], most: int
) -> list[DoneT]:
    """Await `do(one)` for each of `over`, at most `most` at once; gives the results in that order.

    Raises what the first `do` raises that fails; the others go on.
    """
    limit = ConcurrencyLimit(most)

    async def do_one(one: OneT) -> DoneT:
        async with limit.slot():
            return await do(one)

    return await asyncio.gather(*map(do_one, over))
