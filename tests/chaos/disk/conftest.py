"""A stack on a small disk, with a backend that each test scripts."""

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import aiohttp
import pytest

from chaos.disk.rig.small_disk import MIB, SmallDisk, small_disk
from e2e.rig.stack import Stack
from e2e.rig.wire import Api
from scripted_backend import ScriptedBackend, running_backend
from turnwire_testing.ports import free_port

RESERVE_MIB = 32
SIZE_MIB = 160


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Generator[SmallDisk]:
    """The disk of all data and logs of `stack`."""
    with small_disk(tmp_path_factory.mktemp("disks") / "small", SIZE_MIB) as mounted:
        yield mounted


@pytest.fixture(scope="module")
def backend_port() -> int:
    """Where the stack expects the inference backend; each test runs its own there."""
    return free_port()


@pytest.fixture(scope="module")
def stack(disk: SmallDisk, backend_port: int) -> Generator[Stack]:
    """One stack for all tests of a module: each leaves it well, and with room."""
    made = Stack(
        disk.folder / "data",
        keyless=True,
        backend_url=f"http://127.0.0.1:{backend_port}/v1",
        storage_reserve_bytes=str(RESERVE_MIB * MIB),
        turn_timeout_s="60",
        background_timeout_s="60",
        max_restart_pause_s="0.4",
    )
    try:
        yield made.start()
    finally:
        disk.make_room()
        made.stop()


@pytest.fixture
async def backend(backend_port: int) -> AsyncGenerator[ScriptedBackend]:
    """The inference backend of this test."""
    async with running_backend(port=backend_port) as running:
        yield running


@pytest.fixture
async def api(stack: Stack) -> AsyncGenerator[Api]:
    """The stack's API; what the runner said before the test does not count."""
    stack.listen_anew()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        yield Api(session, stack.url, stack.bearer)


@pytest.fixture(autouse=True)
def room(disk: SmallDisk) -> Generator[None]:
    """Give back the room that a test took, also one that failed."""
    yield
    disk.make_room()


@pytest.fixture
def folder_of_disk(tmp_path: Path) -> Path:
    """Where a test mounts a disk of its own."""
    return tmp_path / "disk"
