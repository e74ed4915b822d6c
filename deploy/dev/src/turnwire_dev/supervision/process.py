"""One supervised process: started, watched, started again when it dies, ended on request."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import BinaryIO

from turnwire_dev.supervision import parent_death
from turnwire_dev.supervision.probe import Probe
from turnwire_dev.supervision.reports import (
    ChildBecameReady,
    ChildEnded,
    ChildGivenUp,
    ChildStarted,
    ChildWaitsForRoom,
    Tell,
)
from turnwire_dev.supervision.restarts import ChildRun, Record, RestartRules

PROBE_PAUSE = 0.05
ROOM_PAUSE = 0.25
TAIL_LINES = 15
TAIL_BYTES = 16_384
LOG_LIMIT = 20 * 1024 * 1024


class StopOrder(IntEnum):
    """The order of stopping: services first, while the broker and the database still run."""

    SERVICE = 0
    INFRASTRUCTURE = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """What to start and how to see that it works.

    `health` and `metrics`: addresses to ask, or empty. `has_room`: whether its disk has the room
    that a start needs.
    """

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    is_ready: Probe
    log: Path
    stop_order: StopOrder
    port: int
    health: str = ""
    metrics: str = ""
    has_room: Callable[[], bool] = lambda: True


class ChildGaveUpError(Exception):
    """A child ended too often before it was ready."""

    def __init__(self, report: ChildGivenUp) -> None:
        super().__init__(report.name)
        self.report = report


class Child:
    """Keeps one process alive; `keep_alive` runs as a task until `terminate` or `kill`."""

    def __init__(self, spec: ChildSpec, tell: Tell, rules: RestartRules) -> None:
        """`tell`: is given a report of every change."""
        self.spec = spec
        self.ever_ready = asyncio.Event()
        self._tell = tell
        self._rules = rules
        self._ending = asyncio.Event()
        self._running: list[Process] = []

    async def keep_alive(self) -> None:
        """Run the process again and again until it is ended. Raises ChildGaveUpError."""
        record = Record()
        while not self._ending.is_set():
            await self._room()
            if self._ending.is_set():
                return
            life = await self._live()
            if self._ending.is_set():
                return
            record = self._rules.note(record, life)
            if self._rules.is_hopeless(record):
                raise ChildGaveUpError(self._given_up(record, life))
            pause = self._rules.pause(record)
            self._tell(ChildEnded(self.spec.name, life.exit_code, pause, self.spec.log))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), pause)

    def terminate(self) -> None:
        """Ask the process to end, and do not start it again."""
        self._ending.set()
        for process in self._running:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)

    def restart(self) -> None:
        """Ask the process to end; it is started again like one that died."""
        for process in self._running:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the process and all that it started (SIGKILL)."""
        self._ending.set()
        for process in self._running:
            _kill_group(process.pid)

    async def _room(self) -> None:
        """Wait until there is the room that a start needs, or until it is to end."""
        if not self.spec.has_room():
            self._tell(ChildWaitsForRoom(self.spec.name))
        while not (self.spec.has_room() or self._ending.is_set()):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), ROOM_PAUSE)

    async def _live(self) -> ChildRun:
        started = time.monotonic()
        process = await self._spawn()
        self._running.append(process)
        if self._ending.is_set():
            self.kill()
        else:
            self._tell(ChildStarted(self.spec.name, process.pid))
        readiness = asyncio.create_task(self._watch_readiness(started))
        try:
            exit_code = await process.wait()
        finally:
            readiness.cancel()
            # What it started itself dies with it, or a restart would meet a stranger on its port.
            _kill_group(process.pid)
            self._running.remove(process)
        was_ready = readiness.done() and not readiness.cancelled()
        return ChildRun(time.monotonic() - started, exit_code, was_ready)

    async def _spawn(self) -> Process:
        runner = str(os.getpid())
        command = (sys.executable, "-I", "-S", parent_death.__file__, runner, *self.spec.argv)
        with _open_log(self.spec.log) as log:
            return await asyncio.create_subprocess_exec(
                *command,
                stdin=DEVNULL,
                stdout=log,
                stderr=STDOUT,
                env=dict(self.spec.environment),
                start_new_session=True,
            )

    async def _watch_readiness(self, started: float) -> None:
        while not await self.spec.is_ready():  # noqa: ASYNC110 - another process sets no event
            await asyncio.sleep(PROBE_PAUSE)
        again = self.ever_ready.is_set()
        self.ever_ready.set()
        self._tell(ChildBecameReady(self.spec.name, time.monotonic() - started, again))

    def _given_up(self, record: Record, life: ChildRun) -> ChildGivenUp:
        tail = last_lines(self.spec.log)
        return ChildGivenUp(self.spec.name, life.exit_code, record.deaths, self.spec.log, tail)


def last_lines(log: Path) -> tuple[str, ...]:
    """The last lines of a log; empty when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return ()
    return tuple(text.splitlines()[-TAIL_LINES:])


def _open_log(log: Path) -> BinaryIO:
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        if log.exists() and log.stat().st_size > LOG_LIMIT:
            log.replace(log.with_suffix(".log.1"))
        return log.open("ab")
    except OSError:
        # A process without a log is better than none: the disk may be full.
        return Path(os.devnull).open("ab")


def _kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
