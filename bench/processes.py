"""CPU time and memory of processes, from the kernel's books."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

SERVICES = ("gateway", "orchestrator", "tool-runner", "guard", "store")
"""The processes that are ours; broker, database and runner are shown beside them."""

_SCHEDULER_CLOCK = 2
_QUIET_WINDOW = 0.2
_QUIET_CPU = 0.01
_QUIET_WITHIN = 6.0

_Reading = TypeVar("_Reading")


class ProcessGoneError(Exception):
    """A process of the stack ended while it was measured."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident and proportional set size, in MiB."""

    rss: float
    pss: float


def cpu_seconds(pid: int) -> float:
    """CPU time of a process with all its threads, ended ones too."""
    # clock_getcpuclockid(3) by hand: the kernel's per-process clock has nanoseconds, unlike stat.
    return time.clock_gettime((~pid << 3) | _SCHEDULER_CLOCK)


def memory(pid: int) -> Memory:
    """Memory of a process."""
    sizes = {"Rss": 0.0, "Pss": 0.0}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        name, _, rest = line.partition(":")
        if name in sizes:
            sizes[name] = int(rest.split()[0]) / 1024
    return Memory(sizes["Rss"], sizes["Pss"])


def ours(per_process: Mapping[str, float]) -> float:
    """Add up what belongs to the five services, of which there may be several (`name 2`)."""
    return sum(value for name, value in per_process.items() if name.partition(" ")[0] in SERVICES)


@dataclass(frozen=True, slots=True)
class Processes:
    """Named processes of one stack; each answers for its unnamed descendants too."""

    pids: Mapping[str, int]

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far, by name. Raises ProcessGoneError."""
        return {name: sum(self._read(cpu_seconds, name)) for name in self.pids}

    def memory(self) -> dict[str, Memory]:
        """Memory now, by name. Raises ProcessGoneError."""
        by_name = {name: self._read(memory, name) for name in self.pids}
        return {
            name: Memory(sum(size.rss for size in sizes), sum(size.pss for size in sizes))
            for name, sizes in by_name.items()
        }

    async def quiet(self) -> None:
        """Wait until what a load left to do (views, acks) is done: no process is at work."""
        deadline = time.monotonic() + _QUIET_WITHIN
        before = sum(self.cpu().values())
        while time.monotonic() < deadline:
            await asyncio.sleep(_QUIET_WINDOW)
            now = sum(self.cpu().values())
            if now - before < _QUIET_CPU * _QUIET_WINDOW * len(self.pids):
                return
            before = now

    def _read(self, read: Callable[[int], _Reading], name: str) -> list[_Reading]:
        try:
            return [read(pid) for pid in self._tree(self.pids[name])]
        except OSError as error:
            msg = f"{name} is gone: the figures of a stack that restarts say nothing"
            raise ProcessGoneError(msg) from error

    def _tree(self, pid: int) -> list[int]:
        # The runner is the parent of all others, and must not answer for them.
        named = self.pids.values()
        children = [child for child in _children(pid) if child not in named]
        return [pid, *(one for child in children for one in self._tree(child))]


def spent(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Subtract two readings of `cpu`."""
    return {name: after[name] - before[name] for name in before}


def _children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text(encoding="ascii").split()]
