"""A machine into which a fault is seeded, and what `turnwire doctor` then finds."""

import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import pytest
from nats.aio.client import Client

from turnwire_chassis.broker import connect, disconnect
from turnwire_chassis.jetstream import topology
from turnwire_chassis.jetstream.event_log import JetStreamEventLog
from turnwire_contracts import subjects
from turnwire_contracts.queues import QUEUES
from turnwire_dev.commands.checks import CheckFailed, Finding, Patience
from turnwire_dev.commands.doctor import examine
from turnwire_dev.components.nats import running_nats
from turnwire_dev.instance.folder import DataFolder
from turnwire_dev.plan import OUTPUT_BYTES
from turnwire_store.mongo.generations import MongoGenerations
from turnwire_testing.examples import fresh_id, requested
from turnwire_testing.memory_view_keys import MemoryViewKeys
from turnwire_testing.ports import free_port

SILENT = "http://127.0.0.1:9/v1"
"""Nothing listens there."""


@dataclass
class Machine:
    """Where a fault is seeded."""

    path: Path
    monkeypatch: pytest.MonkeyPatch
    mongodb_url: str
    """Of a database that only this test has."""
    opened: AsyncExitStack
    folder: DataFolder = field(init=False)
    now: datetime | None = None

    def __post_init__(self) -> None:
        """A data folder that is prepared and not used yet."""
        self.folder = DataFolder(self.path / "data")
        self.folder.prepare()

    def set(self, **settings: str) -> None:
        """Set settings by their names without the prefix."""
        for name, value in settings.items():
            self.monkeypatch.setenv(f"TURNWIRE_{name}", value)

    def file(self, text: str) -> str:
        """Write a file; gives its path."""
        path = self.path / "written.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    async def broker(self, *, declared: bool = True) -> Client:
        """Start a broker without users, with the streams of `turnwire up`, and name it."""
        url = await self.opened.enter_async_context(running_nats(self.path / "broker"))
        self.set(NATS_URL=url)
        client = await connect(url, "test")
        self.opened.push_async_callback(disconnect, client)
        if declared:
            jetstream = await topology.declare(client, 1, OUTPUT_BYTES)
            for queue in QUEUES:
                consumer = topology.turn_consumer(queue, 5)
                await topology.declare_consumer(jetstream, subjects.TURNS_STREAM, consumer)
        return client

    async def log(self, events: int) -> Client:
        """Start a broker whose log has some events."""
        client = await self.broker()
        log = JetStreamEventLog(client, client.jetstream())
        for _ in range(events):
            await log.append(requested(response_id=fresh_id()), None)
        return client

    async def views(self, *checkpoints: int) -> None:
        """Make generations of views, each told up to a place in the log."""
        self.set(MONGODB_URL=self.mongodb_url)
        generations = MongoGenerations(self.mongodb_url, MemoryViewKeys())
        self.opened.push_async_callback(generations.close)
        await generations.reach(20)
        for generation, told in enumerate(checkpoints):
            await (await generations.prepare(generation)).advance(told)

    async def examine(self) -> list[Finding]:
        """Give what the command finds."""
        patience = Patience(lambda _: None, within_s=1.0)
        now = self.now
        return list(await examine(patience, *([lambda: now] if now is not None else [])))


Seed = Callable[[Machine], Awaitable[None]]


class Fault(NamedTuple):
    """One fault."""

    seed: Seed
    check: str
    """What the finding is about, as the line begins."""
    says: str
    way_out: str

    async def is_found(self, machine: Machine) -> None:
        """Seed it, and check that it is found by name and with the way out."""
        await self.seed(machine)
        found = [each for each in await machine.examine() if isinstance(each, CheckFailed)]
        assert any(
            each.check.startswith(self.check)
            and self.says in each.text
            and self.way_out in f"{each.text} {each.way_out}"
            for each in found
        ), found


class Faults(list[Fault]):
    """A table of faults, filled by decorated functions that seed them."""

    def of(self, check: str, says: str, way_out: str) -> Callable[[Seed], Seed]:
        """Take a function that seeds a fault, and what must be found of it."""

        def add(seed: Seed) -> Seed:
            self.append(Fault(seed, check, says, way_out))
            return seed

        return add

    @property
    def names(self) -> list[str]:
        """What each is called."""
        return [getattr(each.seed, "__name__", "") for each in self]


@asynccontextmanager
async def machine_without_faults(
    path: Path, monkeypatch: pytest.MonkeyPatch, mongodb_url: str
) -> AsyncGenerator[Machine]:
    """A machine on which nothing is wrong, and nothing runs."""
    for name in (*os.environ,):
        if name.startswith("TURNWIRE_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    url = urlunsplit(urlsplit(mongodb_url)._replace(path=f"/test_{uuid4().hex}"))
    async with AsyncExitStack() as opened:
        found = Machine(path, monkeypatch, url, opened)
        found.set(DATA_DIR=str(found.folder.path), PORT=str(free_port()))
        yield found
