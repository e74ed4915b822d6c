"""Several children under one roof: started together, waited for, ended within a limit."""

import asyncio
import time
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager

from turnwire_dev.supervision.process import Child, ChildSpec, Layer
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
        """Start and from now on keep this child."""
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
        """Wait until a child is beyond help; raises its ChildGaveUpError, returns never."""
        await asyncio.shield(self._failure)

    def waiting_for(self) -> tuple[ChildSpec, ...]:
        """The children that have not been ready yet."""
        return tuple(child.spec for child in self._children if not child.ever_ready.is_set())

    async def stop(self) -> None:
        """End every child: asked first, services before the ground; killed at STOP_WITHIN."""
        start = time.monotonic()
        await self._end(Layer.SERVICE, start + SERVICES_WITHIN)
        await self._end(Layer.GROUND, start + STOP_WITHIN)
        await _wait_until(start + STOP_WITHIN, self._children.values())
        self.kill()
        await asyncio.gather(*self._children.values(), return_exceptions=True)
        if not self._failure.cancel() and not self._failure.cancelled():
            # Looked at, or asyncio would complain of an exception that nobody saw.
            self._failure.exception()

    def kill(self) -> None:
        """End every child now, without asking."""
        for child in self._children:
            child.kill()

    async def _each_ready(self) -> None:
        for child in self._children:
            await child.ever_ready.wait()

    async def _end(self, layer: Layer, deadline: float) -> None:
        chosen = [child for child in self._children if child.spec.layer is layer]
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
