"""An event loop with virtual time: one thread runs all processes, and a seed chooses among them.

Each process has its own queue of callbacks, first in, first out, as a real event loop has; which
process goes on next is drawn. Time moves when no process has anything to do. There is no I/O.
"""

import asyncio
import contextvars
import heapq
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from random import Random
from typing import Any

START_S = 1000.0
"""Where the clock begins: product code takes 0 for "never"."""
EPOCH_S = 1_700_000_000
"""What the clock on the wall shows (Unix time) when virtual time is 0."""

_MOST_IN_A_ROW = 4
"""How many callbacks of one process run before the next process is drawn."""


class StuckError(Exception):
    """A process calls itself again and again without time going on."""


_MOST_WITHOUT_TIME = 200_000


class Process:
    """One process of the deployment: it can be paused, and it can vanish between two callbacks."""

    def __init__(self, name: str) -> None:
        """`name` is for people; two lives of one service are two processes."""
        self.name = name
        self.alive = True
        self.paused = False
        self.ready: deque[SimHandle] = deque()
        self.tasks: list[asyncio.Task[Any]] = []
        """Those that are under way: what a dead process was at is kept from being cleaned up."""
        self.remains: list[SimHandle] = []


class SimHandle:
    """A callback that waits for its turn, or for its time."""

    __slots__ = ("args", "callback", "context", "is_cancelled", "process")

    def __init__(
        self,
        process: Process,
        callback: Callable[..., Any],
        args: tuple[Any, ...],
        context: contextvars.Context | None = None,
    ) -> None:
        self.process = process
        self.callback = callback
        self.args = args
        self.context = context
        self.is_cancelled = False

    def cancel(self) -> None:
        """Never run it."""
        self.is_cancelled = True

    def cancelled(self) -> bool:
        """Tell whether it was cancelled."""
        return self.is_cancelled


class SimTask(asyncio.Task[Any]):
    """A task whose place in a set does not depend on its address."""

    number = 0

    def __hash__(self) -> int:
        """Give its number."""
        return self.number


class SimFuture(asyncio.Future[Any]):
    """A future whose place in a set does not depend on its address."""

    number = 0

    def __hash__(self) -> int:
        """Give its number."""
        return self.number


class SimLoop(asyncio.AbstractEventLoop):
    """What `asyncio` needs of a loop, for several processes in one thread."""

    def __init__(self, random: Random) -> None:
        """`random` chooses who goes on."""
        self.now = START_S
        self.outside = Process("outside")
        self.current = self.outside
        self.steps = 0
        self.errors: list[tuple[str, BaseException]] = []
        self._random = random.random
        self._runnable: list[Process] = []
        self._timers: list[tuple[float, int, SimHandle]] = []
        self._numbers = 0

    # What asyncio asks of a loop.

    def time(self) -> float:
        """Give the virtual time in seconds."""
        return self.now

    def get_debug(self) -> bool:
        """Tell that this loop has no debug mode."""
        return False

    def is_running(self) -> bool:
        """Tell that it runs: nothing asks before."""
        return True

    def is_closed(self) -> bool:
        """Tell that it is never closed."""
        return False

    def call_soon(  # pyright: ignore[reportIncompatibleMethodOverride] -- handles of our own
        self,
        callback: Callable[..., Any],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> SimHandle:
        """Run `callback` in the process that asks for it."""
        process = self.current
        handle = SimHandle(process, callback, args, context or contextvars.copy_context())
        self._enqueue(process, handle)
        return handle

    def call_later(  # pyright: ignore[reportIncompatibleMethodOverride] -- handles of our own
        self,
        delay: float,
        callback: Callable[..., Any],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> SimHandle:
        """Run `callback` after `delay` seconds."""
        return self.call_at(self.now + delay, callback, *args, context=context)

    def call_at(  # pyright: ignore[reportIncompatibleMethodOverride] -- handles of our own
        self,
        when: float,
        callback: Callable[..., Any],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> SimHandle:
        """Run `callback` at a time."""
        handle = SimHandle(self.current, callback, args, context or contextvars.copy_context())
        self._numbers += 1
        heapq.heappush(self._timers, (when, self._numbers, handle))
        return handle

    def create_future(self) -> SimFuture:
        """Give a future."""
        future = SimFuture(loop=self)
        self._numbers += 1
        future.number = self._numbers
        return future

    def create_task(  # pyright: ignore[reportIncompatibleMethodOverride] -- tasks of our own
        self,
        coro: Coroutine[Any, Any, Any],
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
    ) -> SimTask:
        """Run a coroutine in the process that asks for it."""
        del name
        # The hash is needed before the task is made whole: asyncio keeps all tasks in a set.
        self._numbers += 1
        SimTask.number = self._numbers
        task = SimTask(coro, loop=self, name=self.current.name, context=context)
        task.number = self._numbers
        return task

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what went wrong where nobody waited for it; what dead processes leave is theirs."""
        error = context.get("exception")
        if error is not None and self.current.alive:
            self.errors.append((self.current.name, error))

    # What the simulation asks of it.

    @contextmanager
    def as_process(self, process: Process) -> Generator[None]:
        """Let what is begun inside belong to `process`."""
        former, self.current = self.current, process
        try:
            yield
        finally:
            self.current = former

    def at(self, when: float, process: Process, callback: Callable[..., Any], *args: Any) -> None:
        """Run a plain callback of a process at a time: a message arrives."""
        self._numbers += 1
        heapq.heappush(self._timers, (when, self._numbers, SimHandle(process, callback, args)))

    def spawn(self, process: Process, coro: Coroutine[Any, Any, Any]) -> SimTask:
        """Run a coroutine in a process."""
        with self.as_process(process):
            task = contextvars.Context().run(self.create_task, coro)
        process.tasks.append(task)
        return task

    def kill(self, process: Process) -> None:
        """End a process where it stands: none of its code runs any more."""
        process.alive = False
        process.remains += process.ready
        process.ready.clear()

    def pause(self, process: Process) -> None:
        """Keep a process from running; what comes for it waits."""
        process.paused = True

    def resume(self, process: Process) -> None:
        """Let a paused process go on, with all that has come for it."""
        process.paused = False
        if process.ready and process not in self._runnable:
            self._runnable.append(process)

    def run(self, is_over: Callable[[], bool], until: float) -> None:
        """Run until `is_over`, or until a time. Raises what a step raises, and `StuckError`."""
        events._set_running_loop(self)
        try:
            self._run(is_over, until)
        finally:
            events._set_running_loop(None)
            self.current = self.outside

    def _run(self, is_over: Callable[[], bool], until: float) -> None:
        moved_at = 0
        timers, outside, runnable = self._timers, self.outside, self._runnable
        while True:
            while runnable:
                self._run_some()
                if self.steps - moved_at > _MOST_WITHOUT_TIME:
                    raise StuckError(self.current.name)
            if not timers or is_over():
                return
            when, _, handle = heapq.heappop(timers)
            if handle.is_cancelled:
                continue
            process = handle.process
            if not process.alive:
                process.remains.append(handle)
                continue
            if when > until:
                return
            if when > self.now:
                self.now, moved_at = when, self.steps
            if process is outside or not (process.ready or process.paused):
                # Nothing of this process comes before it.
                self.steps += 1
                self.current = process
                _run_handle(handle)
            else:
                self._enqueue(process, handle)

    def _run_some(self) -> None:
        runnable = self._runnable
        index = int(self._random() * len(runnable)) if len(runnable) > 1 else 0
        process = runnable[index]
        ready = process.ready
        self.current = process
        for _ in range(_MOST_IN_A_ROW):
            if not ready or process.paused:
                del runnable[index]
                return
            handle = ready.popleft()
            if not handle.is_cancelled:
                self.steps += 1
                _run_handle(handle)

    def _enqueue(self, process: Process, handle: SimHandle) -> None:
        if process.alive:
            ready = process.ready
            ready.append(handle)
            if len(ready) == 1 and not process.paused and process not in self._runnable:
                self._runnable.append(process)


def _run_handle(handle: SimHandle) -> None:
    if handle.context is None:
        handle.callback(*handle.args)
    else:
        handle.context.run(handle.callback, *handle.args)
