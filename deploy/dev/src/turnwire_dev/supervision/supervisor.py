"""Several children: started together, waited for, ended within a time limit."""

import asyncio
import time
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager

from turnwire_dev.supervision.process import Child, ChildSpec, StopOrder
from turnwire_dev.supervision.reports import Report, Tell
from turnwire_dev.supervision.restarts import RestartRules

# Five seconds are promised for a stop; the rest is for the kernel and the interpreter to end.
STOP_WITHIN = 4.5
# Services give open connections two seconds; the MongoDB-wire server needs two for a clean stop.
SERVICES_WITHIN = 2.2


class Supervisor:
    """Owns every process it started; nothing outlives `stop`."""

    def __init__(self, tell: Tell, rules: RestartRules | None = None) -> None:
        """Needs a running event loop."""
        self._tell = tell
        self._rules = rules or RestartRules()
        self._children: dict[Child, asyncio.Task[None]] = {}
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start(self, spec: ChildSpec) -> None:
        """Start a child, and start it again whenever it ends."""
        child = Child(spec, self._tell, self._rules)
        task = asyncio.create_task(child.keep_alive(), name=spec.name)
        task.add_done_callback(self._note_failure)
        self._children[child] = task

    async def all_ready(self) -> None:
        """Return when every child was ready once. Raises ChildGaveUpError if one is given up."""
        ready = asyncio.create_task(self._each_ready())
        try:
            await asyncio.wait((ready, self._failure), return_when=asyncio.FIRST_COMPLETED)
            if self._failure.done():
                await self._failure
        finally:
            ready.cancel()

    async def failed(self) -> None:
        """Wait until a child is given up; raises its `ChildGaveUpError`, returns never."""
        await asyncio.shield(self._failure)

    def waiting_for(self) -> tuple[ChildSpec, ...]:
        """Give the children that have not been ready yet."""
        return tuple(child.spec for child in self._children if not child.ever_ready.is_set())

    def restart(self, name: str) -> None:
        """End the child of that name, and have it started again."""
        for child in self._children:
            if child.spec.name == name:
                child.restart()

    async def stop(self) -> None:
        """End every child, services first: by SIGTERM, after `STOP_WITHIN` seconds by SIGKILL."""
        start = time.monotonic()
        await self._end(StopOrder.SERVICE, start + SERVICES_WITHIN)
        await self._end(StopOrder.INFRASTRUCTURE, start + STOP_WITHIN)
        await _wait_until(start + STOP_WITHIN, self._children.values())
        self.kill()
        await asyncio.gather(*self._children.values(), return_exceptions=True)
        if not self._failure.cancel() and not self._failure.cancelled():
            # Read, or asyncio would log an exception that was never retrieved.
            self._failure.exception()

    def kill(self) -> None:
        """End every child now, without asking."""
        for child in self._children:
            child.kill()

    async def _each_ready(self) -> None:
        for child in self._children:
            await child.ever_ready.wait()

    async def _end(self, stop_order: StopOrder, deadline: float) -> None:
        chosen = [child for child in self._children if child.spec.stop_order is stop_order]
        for child in chosen:
            child.terminate()
        await _wait_until(deadline, [self._children[child] for child in chosen])

    def _note_failure(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or self._failure.done():
            return
        if (error := task.exception()) is not None:
            self._failure.set_exception(error)


@asynccontextmanager
async def running(spec: ChildSpec) -> AsyncGenerator[None]:
    """One child alone, ready inside the block and gone after it. Raises ChildGaveUpError."""
    supervisor = Supervisor(_tell_nobody)
    try:
        supervisor.start(spec)
        await supervisor.all_ready()
        yield
    finally:
        await supervisor.stop()


async def _wait_until(deadline: float, tasks: Collection[asyncio.Task[None]]) -> None:
    if tasks:
        await asyncio.wait(tasks, timeout=max(0.0, deadline - time.monotonic()))


def _tell_nobody(report: Report) -> None:
    del report
