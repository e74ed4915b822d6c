"""Drives the `turnwire` command in tests as its user does: by lines, files and processes."""

import asyncio
import json
import os
import select
import sys
import time
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

WITHIN = 30.0


class UpUnderTest:
    """A `turnwire up` that was started by a test."""

    def __init__(self, process: Process, settings: Mapping[str, str]) -> None:
        """Take over the process; `settings` must name the data folder and the port."""
        self.process = process
        self.data = Path(settings["TURNWIRE_DATA_DIR"])
        self.port = int(settings["TURNWIRE_PORT"])
        self.lines: list[str] = []

    @classmethod
    async def start(
        cls, settings: Mapping[str, str], python: str = sys.executable, *options: str
    ) -> "UpUnderTest":
        """Start it with exactly this environment; `python` may be another interpreter."""
        call = (python, "-m", "turnwire_dev", "up", *options)
        process = await asyncio.create_subprocess_exec(
            *call, env=dict(settings), stdout=PIPE, stderr=STDOUT
        )
        return cls(process, settings)

    async def says(self, text: str) -> str:
        """Read on until a line has this text; returns the line. Raises EOFError, TimeoutError."""
        async with asyncio.timeout(WITHIN):
            while line := (await self._output.readline()).decode():
                self.lines.append(line.rstrip())
                if text in line:
                    return line
        raise EOFError(f"it never said {text!r}:\n{self.text}")

    async def is_up(self) -> "UpUnderTest":
        """Wait for the last line of the welcome."""
        await self.says("Stop it with ^C")
        return self

    async def ends(self) -> int:
        """Wait for its end; returns the exit code. Raises TimeoutError."""
        async with asyncio.timeout(WITHIN):
            self.lines += (await self._output.read()).decode().splitlines()
            return await self.process.wait()

    @property
    def text(self) -> str:
        """All that was read of what it said."""
        return "\n".join(self.lines)

    def run(self) -> dict[str, Any]:
        """`run.json` as it is now."""
        return json.loads((self.data / "run.json").read_text(encoding="utf-8"))

    def pids(self) -> dict[str, int]:
        """The processes it started, by name."""
        return {name: child["pid"] for name, child in self.run()["children"].items()}

    def children(self) -> "WatchedProcesses":
        """The processes it started, to wait for their end."""
        return WatchedProcesses(self.pids().values())

    @property
    def _output(self) -> asyncio.StreamReader:
        if self.process.stdout is None:
            raise ValueError("the process was started without a pipe for its output")
        return self.process.stdout


class WatchedProcesses:
    """Processes to wait for that need not be children of this one. Linux only."""

    def __init__(self, pids: Iterable[int]) -> None:
        """Raises `ProcessLookupError` for a process that has ended."""
        self._descriptors = [os.pidfd_open(pid) for pid in pids]

    def ended(self, within: float) -> bool:
        """Wait `within` seconds at most; gives whether all have ended. To be called once."""
        deadline = time.monotonic() + within
        waits = [self._one_ended(descriptor, deadline) for descriptor in self._descriptors]
        return all(waits)

    def _one_ended(self, descriptor: int, deadline: float) -> bool:
        left = max(0.0, deadline - time.monotonic())
        readable, _, _ = select.select([descriptor], [], [], left)
        os.close(descriptor)
        return bool(readable)


class StartUp(Protocol):
    """Starts `turnwire up` with some settings changed."""

    async def __call__(self, python: str = ..., **changes: str) -> UpUnderTest:
        """Give the process as soon as it exists; it is not up yet."""
        ...


class Doctor(Protocol):
    """Runs `turnwire doctor` with some settings changed."""

    async def __call__(self, **changes: str) -> tuple[int, str]:
        """Give the exit code and what it printed."""
        ...
