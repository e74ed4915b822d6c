"""The supervisor with real processes."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil
import pytest

from turnwire_dev.supervision.process import ChildGaveUpError, ChildSpec, StopOrder
from turnwire_dev.supervision.reports import (
    ChildBecameReady,
    ChildEnded,
    ChildGivenUp,
    ChildStarted,
    Report,
)
from turnwire_dev.supervision.restarts import RestartRules
from turnwire_dev.supervision.supervisor import Supervisor
from turnwire_dev.testing import WatchedProcesses

pytestmark = pytest.mark.process

WITHIN = 30.0
SLEEPS = "import time; time.sleep(600)"
IGNORES_SIGTERM = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
TELLS_READY = "import pathlib, sys; pathlib.Path(sys.argv[1]).write_text('ready')"
HAS_A_CHILD = (
    "import pathlib, subprocess, sys; child = subprocess.Popen(['sleep', '600']); "
    "pathlib.Path(sys.argv[1]).write_text(str(child.pid))"
)


class Reports:
    """What the supervisor told, in its order."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Report] = asyncio.Queue()

    def tell(self, report: Report) -> None:
        self._queue.put_nowait(report)

    async def next(self) -> Report:
        return await asyncio.wait_for(self._queue.get(), WITHIN)

    async def next_pid(self) -> int:
        report = await self.next()
        assert isinstance(report, ChildStarted)
        return report.pid


async def at_once() -> bool:
    return True


async def never() -> bool:
    return False


def is_written(path: Path) -> Callable[[], Awaitable[bool]]:
    async def probe() -> bool:
        return bool(os.access(path, os.R_OK) and os.stat(path).st_size)  # noqa: PTH116

    return probe


def child(
    tmp_path: Path,
    *lines: str,
    name: str = "sleeper",
    is_ready: Callable[[], Awaitable[bool]] = at_once,
) -> ChildSpec:
    """A Python program of these lines that gets the path `<name>.ready` as its argument."""
    return ChildSpec(
        name=name,
        argv=(sys.executable, "-S", "-c", "\n".join(lines), str(tmp_path / f"{name}.ready")),
        environment=os.environ,
        is_ready=is_ready,
        log=tmp_path / f"{name}.log",
        stop_order=StopOrder.SERVICE,
        port=0,
    )


async def test_a_dead_child_is_started_again_after_a_growing_pause_and_all_is_told(
    tmp_path: Path,
) -> None:
    reports = Reports()
    supervisor = Supervisor(reports.tell, RestartRules(first_pause=0.02))
    spec = child(tmp_path, SLEEPS)
    supervisor.start(spec)
    pids = [await reports.next_pid()]
    first_ready = await reports.next()
    assert isinstance(first_ready, ChildBecameReady)
    assert not first_ready.again

    for pause in (0.02, 0.04, 0.08):
        os.kill(pids[-1], signal.SIGKILL)

        assert await reports.next() == ChildEnded("sleeper", -signal.SIGKILL, pause, spec.log)
        pids.append(await reports.next_pid())
        back = await reports.next()
        assert isinstance(back, ChildBecameReady)
        assert back.again

    await supervisor.stop()
    assert len(set(pids)) == 4
    assert not any(psutil.pid_exists(pid) for pid in pids)


async def test_a_child_that_cannot_come_up_is_given_up_with_the_end_of_its_log(
    tmp_path: Path,
) -> None:
    reports = Reports()
    supervisor = Supervisor(reports.tell, RestartRules(first_pause=0.01))
    supervisor.start(child(tmp_path, "import sys", "sys.exit('no such broker')", is_ready=never))

    with pytest.raises(ChildGaveUpError) as failure:
        await asyncio.wait_for(supervisor.all_ready(), WITHIN)

    await supervisor.stop()
    log = tmp_path / "sleeper.log"
    assert failure.value.report == ChildGivenUp("sleeper", 1, 5, log, ("no such broker",) * 5)


async def test_a_program_that_is_not_there_is_given_up_too(tmp_path: Path) -> None:
    supervisor = Supervisor(Reports().tell, RestartRules(first_pause=0.01))
    spec = child(tmp_path, is_ready=never)
    missing = ChildSpec(
        name=spec.name,
        argv=("/nowhere/nats-server",),
        environment=spec.environment,
        is_ready=never,
        log=spec.log,
        stop_order=spec.stop_order,
        port=0,
    )
    supervisor.start(missing)

    with pytest.raises(ChildGaveUpError) as failure:
        await asyncio.wait_for(supervisor.all_ready(), WITHIN)

    await supervisor.stop()
    assert "cannot start /nowhere/nats-server" in failure.value.report.tail[-1]


async def test_stop_ends_all_in_five_seconds_even_one_that_ignores_sigterm(tmp_path: Path) -> None:
    others = set(psutil.Process().children())
    reports = Reports()
    supervisor = Supervisor(reports.tell)
    supervisor.start(child(tmp_path, SLEEPS, name="obedient"))
    stubborn = is_written(tmp_path / "stubborn.ready")
    lines = (IGNORES_SIGTERM, TELLS_READY, SLEEPS)
    supervisor.start(child(tmp_path, *lines, name="stubborn", is_ready=stubborn))
    await asyncio.wait_for(supervisor.all_ready(), WITHIN)
    began = time.monotonic()

    await supervisor.stop()

    assert time.monotonic() - began < WITHIN
    left = set(psutil.Process().children()) - others
    assert not [process for process in left if process.is_running()]


async def test_a_stop_during_a_pause_ends_at_once(tmp_path: Path) -> None:
    reports = Reports()
    supervisor = Supervisor(reports.tell, RestartRules(first_pause=60, longest_pause=60))
    supervisor.start(child(tmp_path, "raise SystemExit(3)", is_ready=never))
    await reports.next_pid()
    assert isinstance(await reports.next(), ChildEnded)

    await asyncio.wait_for(supervisor.stop(), WITHIN)


async def test_what_a_child_has_started_itself_dies_with_it(tmp_path: Path) -> None:
    note = tmp_path / "sleeper.ready"
    reports = Reports()
    supervisor = Supervisor(reports.tell)
    supervisor.start(child(tmp_path, HAS_A_CHILD, SLEEPS, is_ready=is_written(note)))
    await asyncio.wait_for(supervisor.all_ready(), WITHIN)
    grandchild = WatchedProcesses([int(note.read_text())])

    os.kill(await reports.next_pid(), signal.SIGKILL)

    assert isinstance(await reports.next(), ChildBecameReady)
    assert isinstance(await reports.next(), ChildEnded)
    assert grandchild.ended(within=WITHIN)
    await supervisor.stop()
