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
from nats.aio.client import Client

from turnwire_chassis.broker import connect, disconnect
from turnwire_chassis.event_log import FencedError
from turnwire_chassis.jetstream.event_log import JetStreamEventLog
from turnwire_chassis.jetstream.topology import (
    declare,
    declare_consumer,
    streams,
    turn_consumer,
)
from turnwire_chassis.request_reply.asking import UnansweredQueryError, ask
from turnwire_contracts import subjects
from turnwire_contracts.queries import GUARD_CHECK, AskForCheck, Verdict
from turnwire_contracts.queues import FOREGROUND
from turnwire_dev.instance.ports import LOOPBACK, choose
from turnwire_dev.supervision.probe import NoAnswerError, get
from turnwire_testing.brokers import BrokerCluster
from turnwire_testing.examples import RESPONSE_ID, TENANT, fresh_id, requested, started
from turnwire_testing.waiting import eventually

pytestmark = pytest.mark.process

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
async def clients(cluster: BrokerCluster) -> AsyncGenerator[list[Client]]:
    """A connection to each server first, that goes to the others when it is lost."""
    urls = [member.url for member in cluster.members.values()]
    async with asyncio.timeout(WITHIN_S):
        connected = [await connect(",".join([url, *urls]), "test") for url in urls]
    yield connected
    for client in connected:
        await disconnect(client)


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


async def test_streams_that_are_there_get_the_replicas_that_the_setting_says(
    clients: list[Client],
) -> None:
    async with asyncio.timeout(WITHIN_S):
        client = clients[0]
        jetstream = await declare(client, 1)
        log = JetStreamEventLog(client, jetstream)
        sequence = await log.append(requested(), 0)
        await declare_consumer(jetstream, subjects.TURNS_STREAM, turn_consumer(FOREGROUND[0], 5.0))

        await declare(client, 3)

        async def are_kept_by_three() -> bool:
            found = [await jetstream.stream_info(stream.name or "") for stream in streams(3)]
            return all(
                info.config.num_replicas == 3
                and info.cluster is not None
                and len([each for each in info.cluster.replicas or [] if each.current]) == 2
                for info in found
            )

        await eventually(are_kept_by_three, WITHIN_S)
        name = subjects.ORCHESTRATOR_CONSUMER

        async def is_handed_out_by_three() -> bool:
            consumer = await jetstream.consumer_info(subjects.TURNS_STREAM, name)
            return consumer.cluster is not None and len(consumer.cluster.replicas or []) == 2

        await eventually(is_handed_out_by_three, WITHIN_S)
        assert [each.sequence for each in await log.read(TENANT, RESPONSE_ID)] == [sequence]


async def test_what_was_just_appended_is_read_whichever_node_answers(
    clients: list[Client],
) -> None:
    """A direct get alone misses about one in two hundred of these."""
    async with asyncio.timeout(WITHIN_S):
        jetstream = await declare(clients[0], 3)
        logs = [JetStreamEventLog(client, jetstream) for client in clients]

        async def append_and_read(number: int) -> None:
            for turn in range(60):
                log = logs[(number + turn) % len(logs)]
                response_id = fresh_id()
                sequence = await log.append(requested(response_id=response_id), 0)
                found = await log.read(TENANT, response_id)
                assert [each.sequence for each in found] == [sequence]

        await asyncio.gather(*(append_and_read(number) for number in range(16)))


async def test_an_append_waits_for_the_election_and_is_made_once(
    cluster: BrokerCluster, clients: list[Client]
) -> None:
    jetstream = await declare(clients[0], 3)
    log = JetStreamEventLog(clients[0], jetstream)
    info = await jetstream.stream_info(subjects.TURNS_STREAM)
    assert info.cluster is not None
    expected = {fresh_id(): None if number % 2 else 0 for number in range(40)}
    late = [fresh_id() for _ in range(10)]
    async with asyncio.timeout(WITHIN_S):
        appending = [
            asyncio.create_task(log.append(requested(response_id=each), fence))
            for each, fence in expected.items()
        ]
        await cluster.members[info.cluster.leader or ""].kill()
        appending += [
            asyncio.create_task(log.append(requested(response_id=each), 0)) for each in late
        ]
        sequences = await asyncio.gather(*appending)
        for each, sequence in zip([*expected, *late], sequences, strict=True):
            assert [one.sequence for one in await log.read(TENANT, each)] == [sequence]
        with pytest.raises(FencedError):
            await log.append(started(response_id=late[0]), max(sequences) + 1)


async def answers(urls: str) -> None:
    """Wait until the guard is asked, by whichever way the servers find it."""
    client = await connect(urls, "test")

    async def answers_now() -> bool:
        try:
            asked = AskForCheck(check_type="input", input="hello")
            return await ask(client, GUARD_CHECK, asked, 2.0) == Verdict(safe=True)
        except UnansweredQueryError:
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
