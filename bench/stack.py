"""Starts what is measured, each part a process of its own, and stops it again."""

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp

from bench.processes import Processes
from bench.wire import Target

_ROOT = Path(__file__).parent.parent
_READY_WITHIN = 90.0
_STOPPED_WITHIN = 30.0
_POLL = 0.1
_OK = 200
_NO_GET = 405


class StackFailedError(Exception):
    """The stack did not start, or did not stay."""


@dataclass(frozen=True, slots=True)
class Backend:
    """The scripted backend as a process."""

    url: str
    pid: int

    @property
    def target(self) -> Target:
        """Where to send requests straight to it."""
        return Target.parse(self.url)

    async def answer_with(self, tokens: int, delay_ms: float = 0.0) -> None:
        """Let every answer have so many tokens, one each `delay_ms`."""
        root = self.url.removesuffix("/v1")
        told = {"tokens": tokens, "delay_ms": delay_ms}
        async with aiohttp.ClientSession() as session:
            await session.post(f"{root}/mock/config", json=told)


@dataclass(frozen=True, slots=True)
class Stack:
    """A running stack. An empty address: there is no such part (`--without-stack`)."""

    url: str
    processes: Processes
    monitor_url: str = ""
    mongodb_url: str = ""
    data_dir: Path = field(default_factory=Path)
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    """What one more tool-runner is told."""

    @property
    def target(self) -> Target:
        """Where to send requests through it."""
        return Target.parse(f"{self.url}/v1")


@asynccontextmanager
async def running_backend() -> AsyncGenerator[Backend, None]:
    """Run the scripted backend without any delay."""
    port = _free_port()
    command = (sys.executable, "-m", "scripted_backend", "--port", str(port))
    environ = {**os.environ, "PYTHONPATH": str(_ROOT / "tests")}
    async with _running(command, environ) as process:
        url = f"http://127.0.0.1:{port}"
        await _answers(f"{url}/health", process)
        yield Backend(f"{url}/v1", process.pid)


@asynccontextmanager
async def running_stack(
    backend: Backend, data_dir: Path, settings: Mapping[str, str] | None = None
) -> AsyncGenerator[Stack, None]:
    """Run all of Turnwire on fresh data, as `turnwire up` does, with further `settings`."""
    port = _free_port()
    # What the caller has set for a Turnwire of their own must not reach the one that is measured.
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("TURNWIRE_")}
    environ = {
        **inherited,
        "TURNWIRE_PORT": str(port),
        "TURNWIRE_DATA_DIR": str(data_dir),
        "TURNWIRE_BACKEND_URL": backend.url,
        **(settings or {}),
    }
    async with _running((sys.executable, "-m", "turnwire_dev", "up"), environ) as process:
        await _answers(f"http://127.0.0.1:{port}/health", process)
        yield read_run_file(data_dir, environ)


@asynccontextmanager
async def more_runners(stack: Stack, number: int) -> AsyncGenerator[Stack, None]:
    """Run so many more tool-runners beside that of the stack."""
    pids = dict(stack.processes.pids)
    async with AsyncExitStack() as started:
        for place in range(2, number + 2):
            port = _free_port()
            environ = {**stack.environment, "TURNWIRE_HEALTH_PORT": str(port)}
            running = _running((sys.executable, "-m", "turnwire_tool_runner"), environ)
            process = await started.enter_async_context(running)
            await _answers(f"http://127.0.0.1:{port}/healthz", process)
            pids[f"tool-runner {place}"] = process.pid
        yield replace(stack, processes=Processes(pids))


@asynccontextmanager
async def running_tool_server() -> AsyncGenerator[str, None]:
    """Run an MCP server that costs next to nothing; gives its URL."""
    port = _free_port()
    command = (sys.executable, "-m", "bench.tool_server", "--port", str(port))
    async with _running(command, dict(os.environ)) as process:
        url = f"http://127.0.0.1:{port}/mcp"
        await _answers(url, process, _NO_GET)
        yield url


@asynccontextmanager
async def no_stack(backend: Backend) -> AsyncGenerator[Stack, None]:
    """Measure the backend as if it were the stack: what remains is the error of the bench."""
    processes = Processes({"gateway": backend.pid})
    yield Stack(backend.url.removesuffix("/v1"), processes)


def read_run_file(data_dir: Path, environ: Mapping[str, str]) -> Stack:
    """Read the `run.json` of a running stack: the only place that knows its shape."""
    told: dict[str, Any] = json.loads((data_dir / "run.json").read_text(encoding="utf-8"))
    children: dict[str, dict[str, Any]] = told["children"]
    pids: dict[str, int] = {name: child["pid"] for name, child in children.items()}
    monitor: str = children["nats"]["health"]
    return Stack(
        url=told["url"],
        processes=Processes({**pids, "runner": told["runner"]}),
        monitor_url=monitor.removesuffix("/healthz"),
        mongodb_url=told["mongodb_url"],
        data_dir=data_dir,
        environment={
            **environ,
            "TURNWIRE_NATS_URL": told["nats_url"],
            "TURNWIRE_NATS_NKEY_SEED_FILE": str(data_dir / "nats-users" / "tool-runner.seed"),
            "TURNWIRE_ALLOW_PRIVATE_URLS": "loopback",
        },
    )


@asynccontextmanager
async def _running(
    command: tuple[str, ...], environ: Mapping[str, str]
) -> AsyncGenerator[asyncio.subprocess.Process, None]:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=_ROOT, env=environ, stdout=sys.stderr
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), _STOPPED_WITHIN)
        except TimeoutError:
            process.kill()


async def _answers(url: str, process: asyncio.subprocess.Process, status: int = _OK) -> None:
    deadline = time.monotonic() + _READY_WITHIN
    async with aiohttp.ClientSession() as session:
        while time.monotonic() < deadline:
            if process.returncode is not None:
                msg = f"the process behind {url} ended with {process.returncode}"
                raise StackFailedError(msg)
            try:
                async with session.get(url) as response:
                    if response.status == status:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(_POLL)
    msg = f"{url} was not ready within {_READY_WITHIN:.0f} s"
    raise StackFailedError(msg)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
