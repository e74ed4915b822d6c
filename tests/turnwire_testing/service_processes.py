"""Services as processes of their own, beside a stack or without one: started, watched, ended."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import psutil

from turnwire_dev.components.secrets_of import without_settings
from turnwire_dev.instance.ports import LOOPBACK
from turnwire_dev.supervision.probe import NoAnswerError, get
from turnwire_testing.ports import free_port
from turnwire_testing.waiting import eventually

WITHIN_S = 40.0


@dataclass(frozen=True)
class ServiceProcess:
    """A service that runs, or ran."""

    process: subprocess.Popen[bytes]
    health_url: str
    log: Path

    @property
    def has_ended(self) -> bool:
        """Whether it runs no more."""
        return self.process.poll() is not None

    async def becomes(self, status: int) -> None:
        """Wait until the health check has this HTTP status."""

        async def has_status() -> bool:
            assert not self.has_ended, self.log.read_text()
            return await self.health() == status

        await eventually(has_status, WITHIN_S)

    async def says(self, text: str) -> None:
        """Wait until the text stands in what the health check tells, which must be well then."""
        async with asyncio.timeout(WITHIN_S):
            while text not in (answer := await get(self.health_url)).body.decode():  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert answer.status == 200

    async def health(self) -> int:
        """Give the status of the health check; 0 when nothing answers."""
        try:
            return (await get(self.health_url)).status
        except NoAnswerError:
            return 0

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.process.send_signal(signal.SIGTERM)

    async def stop(self) -> float:
        """Send SIGTERM; gives the seconds until it had ended, which it must with 0."""
        loop = asyncio.get_running_loop()
        told = loop.time()
        self.terminate()
        assert await self.ended() == 0, self.log.read_text()
        return loop.time() - told

    async def kill(self) -> None:
        """Send SIGKILL if it still runs, and wait for the end."""
        self.process.kill()
        await self.ended()

    async def finish(self, within_s: float) -> None:
        """Send SIGTERM if it still runs, and SIGKILL when it has not ended in time."""
        self.terminate()
        try:
            await self.ended(within_s)
        except TimeoutError:
            await self.kill()

    async def ended(self, within_s: float = WITHIN_S) -> int:
        """Wait for the end; gives the exit code. Raises TimeoutError."""

        async def has_ended() -> bool:
            return self.has_ended

        await eventually(has_ended, within_s)
        return self.process.returncode

    def is_connected_to(self, url: str) -> bool:
        """Whether it has a connection to a server on this machine."""
        port = int(url.split(":")[2].split("/", maxsplit=1)[0])
        found = psutil.Process(self.process.pid).net_connections()
        return any(each.raddr and each.raddr.port == port for each in found)


def start_module(
    command: Sequence[str], environment: Mapping[str, str], log: Path, health_port: int = 0
) -> ServiceProcess:
    """Run a module with its arguments; gives the process as soon as it exists."""
    with log.open("ab") as written:
        process = subprocess.Popen(
            (sys.executable, "-m", *command), env=environment, stdout=written, stderr=written
        )
    return ServiceProcess(process, f"http://{LOOPBACK}:{health_port}/healthz", log)


class StartService(Protocol):
    """Starts one more process of a service."""

    async def __call__(self, nats_url: str, *arguments: str, **settings: str) -> ServiceProcess:
        """Give the process as soon as it exists; `settings` are variables of its environment."""
        ...


@dataclass
class _Started:
    """The processes of one module, each with a log of its own in `folder`."""

    module: str
    folder: Path
    settings: dict[str, str]
    processes: list[ServiceProcess] = field(default_factory=list[ServiceProcess])

    async def start(self, nats_url: str, *arguments: str, **settings: str) -> ServiceProcess:
        """As `StartService` says."""
        port = free_port()
        log = self.folder / f"{self.module}-{len(self.processes)}.log"
        environment = {
            **without_settings(os.environ),
            "TURNWIRE_NATS_URL": nats_url,
            "TURNWIRE_HEALTH_PORT": str(port),
            **self.settings,
            **settings,
        }
        started = start_module((self.module, *arguments), environment, log, port)
        self.processes.append(started)
        return started


@asynccontextmanager
async def service_processes(
    module: str, folder: Path, **settings: str
) -> AsyncGenerator[StartService]:
    """Start processes of a service with these settings; those that still run are killed."""
    started = _Started(module, folder, settings)
    try:
        yield started.start
    finally:
        for each in started.processes:
            await each.kill()
