"""Crash points: nothing happens without the switch; with it a process dies where it is told to."""

import ast
import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from pathlib import Path

import msgspec
import pytest

from turnwire_chassis import crash_points
from turnwire_chassis.crash_points import POINTS, SWITCH, CrashOrder

ROOT = Path(__file__).parents[3]
WITHIN_S = 20.0

# A package of this name is started as a service is, so it is one to the crash points.
PROGRAM = """
import os
from turnwire_chassis.crash_points import reached
for number in range(3):
    reached("append.before", ValueError())
    reached("append.after", "sampled")
    print(number, flush=True)
"""


def reached_in_the_code() -> set[str]:
    """The points that the code of services and libraries names."""
    found: set[str] = set()
    for path in (*ROOT.glob("libs/*/src/**/*.py"), *ROOT.glob("services/*/src/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name("reached"), args=[ast.Constant(str(point)), *_]):
                    found.add(point)
                case _:
                    pass
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a service that passes points."""
    package = tmp_path / "turnwire_sample_service"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text(PROGRAM)
    return tmp_path


async def started(folder: Path, order: CrashOrder | None) -> Process:
    """Start the service, armed; with an order for it."""
    file = folder / "order"
    if order is not None:
        file.write_bytes(msgspec.json.encode(order))
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "turnwire_sample_service"),
        env={**os.environ, SWITCH: str(file), "PYTHONPATH": str(folder)},
        stdout=asyncio.subprocess.PIPE,
    )


async def ended(process: Process) -> tuple[int, str]:
    """Wait for the end of a process; gives its exit code and what it printed."""
    async with asyncio.timeout(WITHIN_S):
        out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


def test_the_table_has_the_points_that_the_code_passes() -> None:
    assert reached_in_the_code() == set(POINTS)


def test_a_process_without_the_switch_runs_a_function_that_does_nothing() -> None:
    nothing = crash_points.bound({})
    assert crash_points.bound({SWITCH: ""}) is nothing
    assert SWITCH in os.environ or crash_points.reached is nothing
    assert nothing("append.before", "closed") is None


async def test_an_armed_process_without_an_order_goes_on(folder: Path) -> None:
    assert await ended(await started(folder, None)) == (0, "0\n1\n2\n")


@pytest.mark.parametrize(
    ("order", "printed"),
    [
        (CrashOrder("append.before", "sample-service", "ValueError"), ""),
        (CrashOrder("append.after", "sample-service", "sampled", passing=2), "0\n"),
        (CrashOrder("append.after", "sample-service", passing=3), "0\n1\n"),
    ],
)
async def test_a_process_kills_itself_at_the_passing_that_was_ordered(
    folder: Path, order: CrashOrder, printed: str
) -> None:
    assert await ended(await started(folder, order)) == (-signal.SIGKILL, printed)
    assert (folder / "order.reached").exists()
    assert not (folder / "order").exists()


@pytest.mark.parametrize(
    "order",
    [
        CrashOrder("append.before", "gateway"),
        CrashOrder("append.before", "sample-service", "closed"),
        CrashOrder("erase.before", "sample-service"),
        CrashOrder("append.after", "sample-service", passing=4),
    ],
)
async def test_an_order_for_another_point_is_not_followed(folder: Path, order: CrashOrder) -> None:
    assert await ended(await started(folder, order)) == (0, "0\n1\n2\n")


async def test_a_process_that_is_held_stands_still_until_it_may_go_on(folder: Path) -> None:
    order = CrashOrder("append.after", "sample-service", passing=2, then="hold")
    process = await started(folder, order)
    async with asyncio.timeout(WITHIN_S):
        while not (folder / "order.reached").exists():  # noqa: ASYNC110 -- another process
            await asyncio.sleep(0.01)
    assert process.returncode is None
    (folder / "order.go").touch()
    assert await ended(process) == (0, "0\n1\n2\n")
