"""One stack for all servers, and the model of each test."""

from collections.abc import AsyncGenerator, Generator

import aiohttp
import pytest

from e2e.conftest import running
from e2e.rig.stack import Stack
from e2e.rig.wire import Api
from scripted_backend import ScriptedBackend, running_backend
from tool_servers.rig.everything import running_everything
from turnwire_testing.ports import free_port


@pytest.fixture(scope="session")
def backend_port() -> int:
    """Where the stack expects the inference backend; each test runs its own there."""
    return free_port()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, backend_port: int) -> Generator[Stack]:
    """The running stack that calls the servers."""
    url = f"http://127.0.0.1:{backend_port}/v1"
    yield from running(Stack(tmp_path_factory.mktemp("tool-servers"), backend_url=url))


@pytest.fixture
async def backend(backend_port: int) -> AsyncGenerator[ScriptedBackend]:
    """The model of this test."""
    async with running_backend(port=backend_port) as running:
        yield running
        await running.became_idle()


@pytest.fixture
async def api(stack: Stack) -> AsyncGenerator[Api]:
    """The API of the stack."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        yield Api(session, stack.url, stack.bearer)


@pytest.fixture
async def everything() -> AsyncGenerator[str]:
    """MCP's reference server."""
    async with running_everything(free_port()) as url:
        yield url
