"""Stacks to talk to, the backend behind them, and clients."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack

import aiohttp
import pytest
from openai import AsyncOpenAI

from e2e.rig.command import turnwire
from e2e.rig.desk import Desk, running_desk
from e2e.rig.gateway import one_more_gateway
from e2e.rig.stack import Stack
from e2e.rig.two_backends import both, both_api, ports, two
from e2e.rig.wire import Api
from scripted_backend import ScriptedBackend, running_backend
from turnwire_testing.ports import free_port

__all__ = ["both", "both_api", "ports", "turnwire", "two"]

DEFAULT_INSTRUCTIONS = "Answer like a pirate."

PROMPTS = """
prompts:
  pmpt_greeter:
    default: "2"
    versions:
      "1": { instructions: "Greet {{ customer }}." }
      "2": { instructions: "Greet {{ customer }} of {{company}} twice.", model: mock-model }
"""

POLICY = """
policies:
  default:
    input:
      - stage: secrets
        provider: regex
        settings: { patterns: { key: ['sk-[a-z]+'] } }
"""


@pytest.fixture(scope="session")
def backend_port() -> int:
    """Where all stacks expect the inference backend; each test runs its own there."""
    return free_port()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, backend_port: int) -> Generator[Stack]:
    """A stack for tests that leave it as it is; its files can be searched for words."""
    data = tmp_path_factory.mktemp("stack")
    yield from running(Stack(data, backend_url=_url(backend_port), encrypt_log="false"))


@pytest.fixture(scope="session")
def impatient_stack(
    tmp_path_factory: pytest.TempPathFactory, backend_port: int
) -> Generator[Stack]:
    """A stack whose limits are reached within a test, with all that an operator can write."""
    written = tmp_path_factory.mktemp("written")
    (written / "prompts.yaml").write_text(PROMPTS)
    (written / "policy.yaml").write_text(POLICY)
    yield from running(
        Stack(
            tmp_path_factory.mktemp("impatient"),
            backend_url=_url(backend_port),
            stream_grace_s="0.5",
            backend_idle_timeout_s="2",
            turn_timeout_s="3",
            background_timeout_s="2.5",
            max_background_turns="1",
            max_body_bytes="20000",
            default_instructions=DEFAULT_INSTRUCTIONS,
            encrypt_log="false",
            prompts=str(written / "prompts.yaml"),
            guard_policy=str(written / "policy.yaml"),
        )
    )


@pytest.fixture(scope="session")
def second_gateway(impatient_stack: Stack) -> Generator[str]:
    """The address of one more gateway of the impatient stack."""
    with one_more_gateway(impatient_stack) as url:
        yield url


@pytest.fixture(scope="session")
def fragile_stack(tmp_path_factory: pytest.TempPathFactory, backend_port: int) -> Generator[Stack]:
    """A stack whose processes are killed; each test waits until they are back.

    Turns are soon taken over, and who was killed often is soon there again; `test_scale.py` and
    `test_traces.py` kill with the default settings.
    """
    data = tmp_path_factory.mktemp("fragile")
    yield from running(
        Stack(
            data,
            backend_url=_url(backend_port),
            encrypt_log="false",
            turn_lease_s="2",
            max_restart_pause_s="0.4",
        )
    )


@pytest.fixture(scope="session")
def desk_port() -> int:
    """Where the MCP server runs that operators' files name."""
    return free_port()


@pytest.fixture(scope="session")
def desk_process(tmp_path_factory: pytest.TempPathFactory, desk_port: int) -> Generator[Desk]:
    """An MCP server for all tests."""
    with running_desk(tmp_path_factory.mktemp("desk"), desk_port) as running:
        yield running


@pytest.fixture
def desk(desk_process: Desk) -> Desk:
    """The MCP server, with a journal of this test."""
    desk_process.forget()
    return desk_process


@pytest.fixture
async def backend(backend_port: int) -> AsyncGenerator[ScriptedBackend]:
    """The inference backend of this test; a test that leaves an answer behind is wrong."""
    async with running_backend(port=backend_port) as running:
        yield running
        await running.became_idle()


@pytest.fixture
async def session() -> AsyncGenerator[aiohttp.ClientSession]:
    """HTTP connections of this test."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as opened:
        yield opened


@pytest.fixture
async def api(session: aiohttp.ClientSession, stack: Stack) -> Api:
    """The API of `stack`, as bytes."""
    return Api(session, stack.url, stack.bearer)


@pytest.fixture
async def impatient_api(session: aiohttp.ClientSession, impatient_stack: Stack) -> Api:
    """The API of `impatient_stack`, as bytes."""
    return Api(session, impatient_stack.url, impatient_stack.bearer)


@pytest.fixture
def second_api(impatient_api: Api, second_gateway: str) -> Api:
    """The API of the impatient stack on its other gateway."""
    return impatient_api.under(second_gateway)


@pytest.fixture
async def client(stack: Stack) -> AsyncGenerator[AsyncOpenAI]:
    """OpenAI's SDK on `stack`; it never tries again by itself."""
    async with AsyncOpenAI(base_url=stack.url, api_key=stack.key, max_retries=0) as opened:
        yield opened


def running(stack: Stack) -> Generator[Stack]:
    """Start a stack, and stop it after the tests; its backend, if it has one, runs meanwhile."""
    url = stack.environment.get("TURNWIRE_BACKEND_URL")

    async def start() -> None:
        async with AsyncExitStack() as beside:
            if url is not None:
                # The runner says that it is up when all is well, and that takes a backend.
                port = int(url.split(":")[2].removesuffix("/v1"))
                await beside.enter_async_context(running_backend(port=port))
            await asyncio.to_thread(stack.start)

    try:
        # In a thread: a test's event loop may be about to run in this one.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, start()).result()
        yield stack
    finally:
        # Faster than ^C, which other tests press.
        stack.pull_the_plug()


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}/v1"
