"""Services on a broker of three servers: some are away at the start, any may be lost later."""

import asyncio
import os
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

from turnwire_chassis.broker import NobodyAnswersError, ask, connect, disconnect
from turnwire_contracts.queries import GUARD_CHECK, AskForCheck, Verdict
from turnwire_dev.claims.ports import LOOPBACK, choose
from turnwire_dev.supervision.probe import NoAnswerError, get
from turnwire_testing.brokers import BrokerCluster
from turnwire_testing.waiting import eventually

WITHIN_S = 60.0
SERVICES = ("gateway", "orchestrator", "guard")


@dataclass(frozen=True, slots=True)
class Service:
    """A service that runs."""

    process: Process
    health: str
    log: Path

    async def is_well(self) -> bool:
        assert self.process.returncode is None, self.log.read_text()
        try:
            return (await get(self.health)).status == 200
        except NoAnswerError:
            return False

    async def has_reconnected(self) -> bool:
        return "broker found again" in self.log.read_text()


StartService = Callable[[str, str], Awaitable[Service]]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncGenerator[StartService]:
    """Start a service by its name for a broker."""
    started: list[Process] = []

    async def run(name: str, broker: str) -> Service:
        ports = choose(("port", "health"), tmp_path / name, taken=0)
        log = tmp_path / f"{name}.log"
        with log.open("wb") as file:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", f"turnwire_{name}"),
                env={
                    **os.environ,
                    "TURNWIRE_NATS_URL": broker,
                    "TURNWIRE_STREAM_REPLICAS": "3",
                    "TURNWIRE_PORT": str(ports["port"]),
                    "TURNWIRE_HEALTH_PORT": str(ports["health"]),
                    "TURNWIRE_BACKEND_URL": "http://127.0.0.1:9/v1",
                },
                stderr=file,
            )
        started.append(process)
        return Service(process, f"http://{LOOPBACK}:{ports['health']}/healthz", log)

    yield run
    for process in started:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncGenerator[BrokerCluster]:
    brokers = BrokerCluster(tmp_path / "cluster")
    await brokers.start()
    yield brokers
    await brokers.kill()


@pytest.fixture
def silent() -> Generator[str]:
    """Give the URL of a server that takes connections and says nothing."""
    with socket.create_server((LOOPBACK, 0)) as listening:
        yield f"nats://{LOOPBACK}:{listening.getsockname()[1]}"


async def test_services_start_with_servers_away_and_outlive_each_server(
    cluster: BrokerCluster, silent: str, start: StartService
) -> None:
    urls = f"nats://{LOOPBACK}:9, {silent} ,{cluster.url}"
    services = [await start(name, urls) for name in SERVICES]

    for member in cluster.members.values():
        for service in services:
            await eventually(service.is_well, WITHIN_S)
        await member.kill()
        for service in services:
            await eventually(service.is_well, WITHIN_S)
        await answers(urls)
        await member.start()

    for service in services:
        # Each server was lost, so its own was.
        await eventually(service.has_reconnected, WITHIN_S)


async def answers(urls: str) -> None:
    """Wait until the guard is asked, by whichever way the servers find it."""
    client = await connect(urls, "test")

    async def answers_now() -> bool:
        try:
            asked = AskForCheck(check_type="input", input="hello")
            return await ask(client, GUARD_CHECK, asked, 2.0) == Verdict(safe=True)
        except NobodyAnswersError:
            return False

    await eventually(answers_now, WITHIN_S)
    await disconnect(client)


async def test_a_server_that_only_the_cluster_told_of_knows_who_we_are(
    tmp_path: Path,
) -> None:
    """The credentials of the URL that was given are shown to the others, too."""
    cluster = BrokerCluster(tmp_path, ("--user", "me", "--pass", "p@ss,word"))
    await cluster.start()
    first, *others = cluster.members.values()
    try:
        async with asyncio.timeout(WITHIN_S):
            client = await connect(first.url.replace("//", "//me:p%40ss%2Cword@"), "test")

            async def knows_all() -> bool:
                await client.flush()
                return len(client.discovered_servers) >= len(others)

            await eventually(knows_all, WITHIN_S)
            await first.kill()

            async def is_elsewhere() -> bool:
                return client.is_connected and client.stats["reconnects"] > 0

            await eventually(is_elsewhere, WITHIN_S)
            await disconnect(client)
    finally:
        await cluster.kill()
