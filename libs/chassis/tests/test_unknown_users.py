"""A broker that does not know us, or does not any more: complained about, and never waited out."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from turnwire_chassis.broker_access import nkey
from turnwire_chassis.broker_access.refusals import UNWELL_FOR_S, Refusals
from turnwire_chassis.broker_authorization.rights import User
from turnwire_chassis.broker_authorization.server_config import authorization
from turnwire_dev.components.installed import nats_server
from turnwire_dev.instance.ports import LOOPBACK, choose
from turnwire_testing.waiting import eventually


class Strict:
    """A broker that knows one guard, until it is told of another."""

    def __init__(self, folder: Path) -> None:
        self._port = choose(("nats",), folder, taken=0)["nats"]
        self._configuration = folder / "nats.conf"
        self._process: Process | None = None
        self.url = f"nats://{LOOPBACK}:{self._port}"
        self.seed_file = folder / "guard.seed"
        self.change_user()

    def change_user(self) -> None:
        """Make a new seed, and write down its user as the only one."""
        self.seed_file.write_text(nkey.new_seed())
        self.know(self.seed_file)

    def know(self, seed_file: Path) -> None:
        """Write down whose seed that is as the only user."""
        known = authorization({User.GUARD: nkey.public_key(seed_file.read_text())})
        self._configuration.write_text(f'listen: "{LOOPBACK}:{self._port}"\n{known}')

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *(str(nats_server()), "-c", str(self._configuration)), stdout=DEVNULL, stderr=DEVNULL
        )

    def reload(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    async def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            await self._process.wait()


@pytest.fixture
async def strict(tmp_path: Path) -> AsyncGenerator[Strict]:
    broker = Strict(tmp_path)
    await broker.start()
    yield broker
    await broker.stop()


class Example:
    """A service of its own process that answers nothing, and tells its health."""

    PROGRAM = """
import asyncio
from turnwire_chassis.request_reply.responder import Responder
from turnwire_chassis.run import run_service
from turnwire_chassis.settings import ServiceSettings

async def serve(settings, lifecycle):
    answering = Responder(settings.nats_url, "guard", 1, settings.broker_access)
    lifecycle.watch({"broker": answering.reachable})
    await answering.start()
    await asyncio.Event().wait()

run_service("example", ServiceSettings, serve)
"""

    def __init__(self, process: Process, port: int, told: Path) -> None:
        self.process = process
        self._port = port
        self._told = told

    @property
    def told(self) -> str:
        """All that it logged."""
        return self._told.read_text(encoding="utf-8")

    async def health(self) -> str:
        """Give the answer to `GET /healthz`; empty while there is none."""
        try:
            reader, writer = await asyncio.open_connection(LOOPBACK, self._port)
        except OSError:
            return ""
        writer.write(b"GET /healthz HTTP/1.0\r\n\r\n")
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer.decode()

    async def is_well(self) -> bool:
        """Whether its broker knows it."""
        return '"status":"ok"' in await self.health()


StartExample = Callable[[Path | None], Awaitable[Example]]


@pytest.fixture
async def start(strict: Strict, tmp_path: Path) -> AsyncGenerator[StartExample]:
    """Start the example with a file of its seed, or without one."""
    started: list[Process] = []

    async def run(seed_file: Path | None) -> Example:
        port = choose(("example",), tmp_path / "example", taken=0)["example"]
        seeded = {"TURNWIRE_NATS_NKEY_SEED_FILE": str(seed_file)} if seed_file else {}
        told = {"TURNWIRE_NATS_URL": strict.url, "TURNWIRE_HEALTH_PORT": str(port)}
        log = tmp_path / "example.log"
        with log.open("wb") as file:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", Example.PROGRAM),
                env={**os.environ, **told, **seeded},
                stderr=file,
            )
        started.append(process)
        return Example(process, port, log)

    yield run
    for process in started:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.parametrize("seeded", [True, False])
async def test_who_is_not_known_says_so_and_asks_until_it_is(
    strict: Strict, start: StartExample, tmp_path: Path, *, seeded: bool
) -> None:
    stranger = tmp_path / "stranger.seed"
    stranger.write_text(nkey.new_seed())
    example = await start(stranger if seeded else None)

    async def says_why() -> bool:
        return "the broker refuses our credentials" in await example.health()

    await eventually(says_why)
    assert '"level": "error"' in next(
        line for line in example.told.splitlines() if "broker refuses our credentials" in line
    )
    if seeded:
        strict.know(stranger)
        strict.reload()
        await eventually(example.is_well)


async def test_a_user_that_is_taken_away_does_not_go_on_as_if_nothing_was(
    strict: Strict, start: StartExample
) -> None:
    example = await start(strict.seed_file)
    await eventually(example.is_well)
    strict.change_user()
    strict.reload()

    async def ended_or_complains() -> bool:
        # nats-py gives up for good or reconnects, whichever of its tasks is first.
        return (
            example.process.returncode is not None
            or "the broker refuses our credentials" in await example.health()
        )

    await eventually(ended_or_complains)
    assert (
        "broker refuses our credentials" in example.told or "ended the connection" in example.told
    )


def test_credentials_that_are_refused_are_complained_about_every_few_seconds() -> None:
    clock = [0.0]
    refusals = Refusals(lambda: clock[0])
    with capture_logs() as told:
        for _ in range(100):
            refusals.note("nats: 'Authorization Violation'")
            clock[0] += 0.25
    assert len(told) == 5
    assert refusals.unknown_user == "the broker refuses our credentials"
    refusals.connected()
    assert refusals.unknown_user is None


def test_a_denied_subject_is_told_each_time_and_makes_unwell_for_a_while() -> None:
    clock = [0.0]
    refusals = Refusals(lambda: clock[0])
    with capture_logs() as told:
        refusals.note('nats: permissions violation for publish to "turn.t.r.closed"')
        refusals.note('nats: permissions violation for subscription to "a" using queue "b"')
    assert [(line["verb"], line["subject"], line["log_level"]) for line in told] == [
        ("publish", "turn.t.r.closed", "error"),
        ("subscription", "a", "error"),
    ]
    assert (refusals.denied or "").startswith("the broker refused: publish to turn.t.r.closed")
    clock[0] = UNWELL_FOR_S
    assert refusals.denied is None


def test_what_refuses_nothing_is_left_to_others() -> None:
    assert not Refusals(lambda: 0.0).note("nats: unexpected EOF")
