"""A full disk is told once, and what can write no more is restarted with room, not before."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from turnwire_chassis.storage_space import MIB
from turnwire_dev import storage_watch
from turnwire_dev.components import mongo, nats
from turnwire_dev.components.members import STORE
from turnwire_dev.instance import disk
from turnwire_dev.instance.disk import NoRoomError, require_room
from turnwire_dev.instance.folder import DataFolder
from turnwire_dev.screen import Screen
from turnwire_dev.storage_watch import Illness, StorageWatch, illnesses
from turnwire_dev.supervision.probe import answers_200
from turnwire_dev.supervision.process import ChildSpec, StopOrder
from turnwire_dev.supervision.reports import (
    ChildBecameReady,
    ChildEnded,
    ChildStarted,
    Tell,
)
from turnwire_testing.plain_http import Told, serving
from turnwire_testing.waiting import eventually

RESERVE = 64 * MIB
READY = ChildBecameReady("nats", 0.1, again=False)


class Machine:
    """A disk with some bytes free, and a broker that is ill or well."""

    def __init__(self) -> None:
        self.free = 10 * RESERVE
        self.illness: str | None = None
        self.restarted: list[str] = []
        self.asked = 0
        self.tell: Tell = lambda _: None
        self._said = StringIO()
        self.screen = Screen(Console(file=self._said, width=1000))

    @property
    def text(self) -> str:
        return self._said.getvalue()

    def free_bytes(self, folder: Path, *, otherwise: int) -> int:
        del folder, otherwise
        return self.free

    async def ask(self) -> str | None:
        self.asked += 1
        return self.illness

    def restart(self, name: str) -> None:
        self.restarted.append(name)
        self.illness = None

    async def was_asked_again(self) -> None:
        now = self.asked

        async def again() -> bool:
            return self.asked > now + 1

        await eventually(again)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(disk, "free_bytes", made.free_bytes)
    monkeypatch.setattr(storage_watch, "LOOK_EVERY_S", 0.005)
    monkeypatch.setattr(storage_watch, "ASK_EVERY_S", 0.01)
    return made


@asynccontextmanager
async def watching(machine: Machine, folder: Path, patience_s: float) -> AsyncGenerator[None]:
    ill = {"nats": Illness(machine.ask, patience_s)}
    watch = StorageWatch(folder, RESERVE, machine.screen, ill, machine.restart)
    machine.tell = watch.note
    watch.note(READY)
    task = asyncio.create_task(watch.run(lambda: None))
    try:
        yield
    finally:
        task.cancel()


async def test_a_full_disk_and_its_room_are_told_once(machine: Machine, tmp_path: Path) -> None:
    async with watching(machine, tmp_path, patience_s=0):
        machine.free = RESERVE - 1
        await machine.was_asked_again()
        machine.free = RESERVE + 1
        await machine.was_asked_again()
        assert "has room again" not in machine.text
        machine.free = 2 * RESERVE
        await machine.was_asked_again()

    assert machine.text.count("is full: 63 MiB are free, and 64 MiB stay in reserve") == 1
    assert machine.text.count("has room again (128 MiB free)") == 1


async def test_who_is_ill_is_restarted_with_room_and_not_before(
    machine: Machine, tmp_path: Path
) -> None:
    async with watching(machine, tmp_path, patience_s=1000):
        machine.free = MIB
        machine.illness = "no space left on device"
        await machine.was_asked_again()
        assert machine.restarted == []
        machine.free = 2 * RESERVE
        await machine.was_asked_again()
        await machine.was_asked_again()

    assert machine.restarted == ["nats"]
    assert "no space left on device" in machine.text


async def test_who_is_ill_without_a_full_disk_is_given_time(
    machine: Machine, tmp_path: Path
) -> None:
    machine.illness = "input/output error"
    async with watching(machine, tmp_path, patience_s=1000):
        await machine.was_asked_again()
        assert machine.restarted == []
    async with watching(machine, tmp_path, patience_s=0.01):
        await machine.was_asked_again()
        await machine.was_asked_again()

    assert machine.restarted == ["nats"]


async def test_who_stays_ill_is_not_restarted_again_at_once(
    machine: Machine, tmp_path: Path
) -> None:
    machine.illness = "input/output error"
    async with watching(machine, tmp_path, patience_s=0):
        await machine.was_asked_again()
        machine.illness = "input/output error"
        await machine.was_asked_again()

    assert machine.restarted == ["nats"]


async def test_who_is_not_ready_yet_is_not_judged(machine: Machine, tmp_path: Path) -> None:
    async with watching(machine, tmp_path, patience_s=0):
        machine.tell(ChildEnded("nats", 1, 0.0, tmp_path / "log"))
        machine.tell(ChildStarted("nats", 7))
        machine.illness = "JetStream stream 'acc > TURNS' write error: input/output error"
        await asyncio.sleep(0.1)  # It would have been asked ten times.
        assert machine.restarted == []
        machine.tell(READY)
        await machine.was_asked_again()

    assert machine.restarted == ["nats"]


def child_at(health: str, name: str) -> ChildSpec:
    return ChildSpec(
        name=name,
        argv=(),
        environment={},
        is_ready=answers_200(health),
        log=Path("log"),
        stop_order=StopOrder.INFRASTRUCTURE,
        port=0,
        health=health,
    )


BROKER = "failed to be ready for connections after 5s: startup did not finish"
WROTE = "JetStream stream '$G > TURNS' write error: no space left on device"
GONE = "MongoDB does not answer: ServerSelectionTimeoutError: connection refused"
PANIC = "MongoDB does not answer: OperationFailure: WT_PANIC, full error: {'code': 1}"


@pytest.mark.parametrize(
    ("child", "body", "is_ill"),
    [
        ("nats", {"status": "error", "error": BROKER}, False),
        ("nats", {"status": "unavailable", "error": WROTE}, True),
        ("mongo", {"problems": {"mongodb": GONE}}, False),
        ("mongo", {"problems": {"mongodb": PANIC}}, True),
    ],
)
async def test_only_a_write_that_failed_makes_ill(
    child: str, body: dict[str, object], *, is_ill: bool
) -> None:
    told: dict[str, Told] = {"GET /v1": (500, body)}
    async with serving(told) as server:
        known = illnesses(
            tuple(child_at(server.url, name) for name in (nats.NAME, STORE, mongo.NAME))
        )
        said = await known[nats.NAME if child == "nats" else mongo.NAME].ask()

    assert (said is not None) == is_ill


@pytest.mark.parametrize(
    ("mib", "has_log", "needed"), [(95, False, "96 MiB"), (31, True, "32 MiB")]
)
def test_a_start_names_the_room_that_it_needs(
    machine: Machine, tmp_path: Path, mib: int, needed: str, *, has_log: bool
) -> None:
    folder = DataFolder(tmp_path / "data")
    if has_log:
        (folder.nats / "jetstream").mkdir(parents=True)
    machine.free = mib * MIB

    with pytest.raises(NoRoomError, match=f"needs {needed} of free space for {folder.path}"):
        require_room(folder, RESERVE)

    machine.free += MIB
    require_room(folder, RESERVE)
