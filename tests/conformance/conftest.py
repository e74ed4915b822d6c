"""The services that are checked: a stack with a scripted backend, and one with the real model."""

from collections.abc import AsyncGenerator, Generator
from concurrent.futures import ThreadPoolExecutor

import aiohttp
import pytest

from conformance.checked_service import Service
from e2e.conftest import running
from e2e.rig.stack import Stack, free_port
from scripted_backend import running_backend

_SCRIPTED = "mock-tool"
"""The scripted model that calls the first function tool it is given."""

_REAL = "smollm2"


@pytest.fixture(scope="session", params=["scripted", pytest.param("real", marks=pytest.mark.model)])
def kind(request: pytest.FixtureRequest) -> str:
    """Which backend stands behind the service."""
    return request.param


@pytest.fixture(scope="session")
def conformance_stack(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Generator[Stack]:
    """A stack of its own for the checks."""
    folder = tmp_path_factory.mktemp(f"conformance-{kind}")
    if kind == "scripted":
        url = f"http://127.0.0.1:{free_port()}/v1"
        yield from running(Stack(folder, backend_url=url))
        return
    stack = Stack(folder)
    try:
        with ThreadPoolExecutor(1) as thread:
            thread.submit(stack.start).result()
        yield stack
    finally:
        stack.pull_the_plug()


@pytest.fixture
async def service(kind: str, conformance_stack: Stack) -> AsyncGenerator[Service]:
    """The service, with its backend, for one check."""
    timeout = aiohttp.ClientTimeout(total=100)
    async with aiohttp.ClientSession(timeout=timeout, headers=conformance_stack.bearer) as session:
        if kind == "real":
            # A hundred million parameters read text only, call a tool only when made to, and would
            # now and then not find an end.
            yield Service(
                conformance_stack.url,
                _REAL,
                session,
                calls_unasked=False,
                sees_images=False,
                sampling={"temperature": 0},
            )
            return
        port = int(conformance_stack.environment["TURNWIRE_BACKEND_URL"].split(":")[2][:-3])
        async with running_backend(port=port):
            yield Service(conformance_stack.url, _SCRIPTED, session)
