"""One stack for all clients, the backend of each test, and what the clients are told of them."""

from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI, DefaultAsyncHttpx2Client

from clients.rig.programs import Programs
from e2e.conftest import running
from e2e.rig.stack import Stack
from scripted_backend import ScriptedBackend, running_backend
from turnwire_testing.ports import free_port


@pytest.fixture(scope="session")
def backend_port() -> int:
    """Where the stack expects the inference backend; each test runs its own there."""
    return free_port()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, backend_port: int) -> Generator[Stack]:
    """The running stack that every client talks to."""
    url = f"http://127.0.0.1:{backend_port}/v1"
    yield from running(Stack(tmp_path_factory.mktemp("clients"), backend_url=url))


@pytest.fixture
async def backend(stack: Stack, backend_port: int) -> AsyncGenerator[ScriptedBackend]:
    """The inference backend of this test; a test that leaves an answer behind is wrong."""
    _ = stack
    async with running_backend(port=backend_port) as running:
        yield running
        await running.became_idle()
        assert running.unplayed == 0


@pytest.fixture
async def openai_client(stack: Stack) -> AsyncGenerator[AsyncOpenAI]:
    """OpenAI's SDK as other clients take it; it never tries again by itself."""
    async with AsyncOpenAI(base_url=stack.url, api_key=stack.key, max_retries=0) as client:
        yield client


@pytest.fixture
async def socket_client(stack: Stack) -> AsyncGenerator[AsyncOpenAI]:
    """OpenAI's SDK for those who say that they use WebSockets: it makes no HTTP request."""

    async def refuse(request: httpx2.Request) -> None:
        raise AssertionError(f"asked over HTTP: {request.method} {request.url}")

    hooks: dict[str, list[Callable[..., Any]]] = {"request": [refuse]}
    async with (
        DefaultAsyncHttpx2Client(event_hooks=hooks) as connections,
        AsyncOpenAI(
            base_url=stack.url, api_key=stack.key, max_retries=0, http_client=connections
        ) as client,
    ):
        yield client


@pytest.fixture
def programs(stack: Stack) -> Programs:
    """Clients that are programs, or live in an environment of their own."""
    return Programs(stack)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail what is skipped: a cell of the compatibility table holds or it does not."""
    report = yield
    if report.skipped:
        report.outcome, report.longrepr = "failed", f"not run: {report.longreprtext}"
    return report
