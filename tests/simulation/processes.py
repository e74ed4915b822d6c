"""The processes of a simulated deployment: they start, vanish, freeze, and come back."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from simulation.loop import Process, SimLoop, SimTask
from turnwire_chassis.lifecycle.lifecycle import Lifecycle

if TYPE_CHECKING:
    from simulation.client import SimClient


class GoneError(Exception):
    """The process that served a request has gone."""


Serve = Callable[["Life"], Awaitable[None]]
"""Runs one service until it is cancelled."""


@dataclass(eq=False)
class Life:
    """One run of one service, from its start to its end."""

    name: str
    """`orchestrator-1.2`: the second run of the first orchestrator."""
    service: str
    process: Process
    loop: SimLoop
    lifecycle: Lifecycle
    clients: list["SimClient"] = field(default_factory=list["SimClient"])
    task: SimTask | None = None
    steps: int = 0
    """How many times it did something that others can see."""
    dies_before: int = 0
    dies_after: int = 0
    is_cut_off: bool = False
    """Whether no connection of it reaches the broker."""
    on_death: Callable[["Life"], None] = lambda _: None
    deps: Any = None
    """What a gateway serves requests with, while it listens."""
    waiting: list[asyncio.Future[Any]] = field(default_factory=list[asyncio.Future[Any]])
    """Clients that wait for an answer of it."""

    async def before_step(self) -> None:
        """Count what others can see; the process may vanish just before it."""
        self.steps += 1
        if self.steps == self.dies_before:
            await self._vanish()

    async def after_step(self) -> None:
        """Be past such a step; the process may vanish just behind it."""
        if self.steps == self.dies_after:
            await self._vanish()

    async def _vanish(self) -> None:
        self.on_death(self)
        await self.loop.create_future()


class Supervisor:
    """Starts the processes of a deployment, and starts again what has ended."""

    def __init__(self, loop: SimLoop, random: Random, note: Callable[[str], None]) -> None:
        """`note` is told, in words, what happens to processes."""
        self.loop = loop
        self.lives: dict[str, Life] = {}
        """By slot: `orchestrator-1`."""
        self.by_process: dict[Process, Life] = {}
        self.disturbed_at = 0.0
        """When something was last done to a process."""
        self.faults: list[str] = []
        """Processes that ended by themselves."""
        self._random = random
        self._note = note
        self._serve: dict[str, Serve] = {}
        self._runs: dict[str, int] = {}

    @property
    def current(self) -> Life:
        """The life whose code runs."""
        return self.by_process[self.loop.current]

    def add(self, slot: str, serve: Serve) -> None:
        """Start a service in a slot, and keep it running."""
        self._serve[slot] = serve
        self.start(slot)

    def start(self, slot: str) -> None:
        """Start a service that does not run."""
        former = self.lives.get(slot)
        if former is not None and former.process.alive:
            return
        run = self._runs[slot] = self._runs.get(slot, 0) + 1
        name = f"{slot}.{run}"
        process = Process(name)
        with self.loop.as_process(process):
            lifecycle = Lifecycle()
        life = Life(name, slot.rpartition("-")[0], process, self.loop, lifecycle)
        life.on_death = self.crash
        self.lives[slot] = self.by_process[process] = life
        self._note(f"{name} starts")
        life.task = self.loop.spawn(process, _to_the_end(self._serve[slot], life))
        with self.loop.as_process(process):
            life.task.add_done_callback(lambda task: self._ended(slot, life, task))

    def crash(self, life: Life) -> None:
        """Let a process vanish (SIGKILL); it is started again."""
        if not life.process.alive:
            return
        self._note(f"{life.name} is killed")
        self._bury(life)

    def stop(self, life: Life, drain_s: float) -> None:
        """End a process in order (SIGTERM): it drains for so long at most, then it is cancelled."""
        if not life.process.alive or life.lifecycle.draining:
            return
        self._note(f"{life.name} is told to end, within {drain_s:.1f} s")
        self.disturbed_at = self.loop.now
        self.loop.spawn(life.process, _drained(life, drain_s))

    def pause(self, life: Life, seconds: float) -> None:
        """Freeze a process for a while (SIGSTOP, SIGCONT)."""
        if not life.process.alive or life.process.paused:
            return
        self._note(f"{life.name} is frozen for {seconds:.1f} s")
        self.disturbed_at = self.loop.now + seconds
        self.loop.pause(life.process)
        self.loop.at(self.loop.now + seconds, self.loop.outside, self._thaw, life)

    def _thaw(self, life: Life) -> None:
        if life.process.alive:
            self._note(f"{life.name} goes on")
        self.loop.resume(life.process)

    def _ended(self, slot: str, life: Life, task: asyncio.Task[Any]) -> None:
        if not life.process.alive:
            return
        error = None if task.cancelled() else task.exception()
        if error is not None or not life.lifecycle.draining:
            self.faults.append(f"{life.name} ended by itself: {error!r}")
        self._note(f"{life.name} has ended")
        del slot
        self._bury(life)

    def _bury(self, life: Life) -> None:
        self.disturbed_at = max(self.disturbed_at, self.loop.now)
        self.loop.kill(life.process)
        life.deps = None
        with self.loop.as_process(self.loop.outside):
            for answered in life.waiting:
                if not answered.done():
                    answered.set_exception(GoneError())
        for client in life.clients:
            client.broken()
        slot = life.name.rpartition(".")[0]
        after = 0.1 + self._random.random() * 2
        self.loop.at(self.loop.now + after, self.loop.outside, self.start, slot)


async def _to_the_end(serve: Serve, life: Life) -> None:
    await serve(life)


async def _drained(life: Life, drain_s: float) -> None:
    try:
        await life.lifecycle.drain(drain_s)
    finally:
        if life.task is not None:
            life.task.cancel()
