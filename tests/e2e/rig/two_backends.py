"""Two backends behind one stack: `alpha` is asked by Responses, `beta` by chat completions."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from e2e.rig.stack import Stack
from e2e.rig.wire import Api
from scripted_backend import ScriptedBackend, running_backend
from turnwire_testing.ports import free_port

FILE = """\
backends:
  - name: responses
    url: http://127.0.0.1:{0}/v1
    models: [alpha]
  - name: chat
    url: http://127.0.0.1:{1}/v1
    models: [beta, 'beta-*']
"""
Both = tuple[ScriptedBackend, ScriptedBackend]


@pytest.fixture(scope="session")
def ports() -> tuple[int, int]:
    """Where the backends are; each test runs its own there."""
    return free_port(), free_port()


@pytest.fixture(scope="session")
def two(tmp_path_factory: pytest.TempPathFactory, ports: tuple[int, int]) -> Generator[Stack]:
    """A stack that is told of both by a file."""
    folder = tmp_path_factory.mktemp("two")
    path = Path(folder, "backends.yaml")
    path.write_text(FILE.format(*ports), encoding="utf-8")
    stack = Stack(folder / "data", backends=str(path))

    async def start() -> None:
        async with AsyncExitStack() as running:
            await _run_both(running, ports)
            await asyncio.to_thread(stack.start)

    try:
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, start()).result()
        yield stack
    finally:
        stack.pull_the_plug()


async def _run_both(stack: AsyncExitStack, ports: tuple[int, int]) -> Both:
    first = await stack.enter_async_context(running_backend(port=ports[0], apis=("responses",)))
    second = await stack.enter_async_context(running_backend(port=ports[1], apis=("chat",)))
    return first, second


@pytest.fixture
async def both(ports: tuple[int, int]) -> AsyncGenerator[Both]:
    """The backends of this test."""
    async with AsyncExitStack() as running:
        yield await _run_both(running, ports)


@pytest.fixture
async def both_api(session: aiohttp.ClientSession, two: Stack) -> Api:
    """The API of that stack, as bytes."""
    return Api(session, two.url, two.bearer)
