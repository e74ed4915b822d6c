"""Several members of each service on one machine: work spreads, and losing one loses nothing."""

import asyncio
import subprocess
from collections.abc import Generator, Sequence
from contextlib import AsyncExitStack, contextmanager

import aiohttp
import psutil
import pytest
from openai import APIConnectionError, AsyncOpenAI
from openai.types.responses import Response

from e2e.conftest import running
from e2e.rig.conversation import asks
from e2e.rig.stack import Stack
from e2e.rig.wire import Api
from scripted_backend import ScriptedBackend, says
from turnwire_testing.stream_grammar import check_stream

SCALE = "gateway=2,orchestrator=3,tool-runner=2,store=2"
GATEWAYS = ("gateway", "gateway-2")
ORCHESTRATORS = ("orchestrator", "orchestrator-2", "orchestrator-3")
STREAMS = 24
"""So many connections go to one of two gateways once in eight million times."""

TALKERS, TURNS_BETWEEN, PACE_S = 6, 8, 0.02
VICTIMS = ("gateway-2", "orchestrator", "tool-runner-2", "store", "orchestrator-3", "gateway")
WORDS = [f"word{number} " for number in range(12)]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, backend_port: int) -> Generator[Stack]:
    url = f"http://127.0.0.1:{backend_port}/v1"
    data = tmp_path_factory.mktemp("scale")
    yield from running(Stack(data, backend_url=url, scale=SCALE, max_turns="16"))


async def test_the_screen_and_doctor_show_every_member(stack: Stack) -> None:
    assert "gateway x 2, orchestrator x 3, tool-runner x 2, store x 2" in stack.screen
    said = await asyncio.to_thread(_doctor, stack)
    for name in (*GATEWAYS, *ORCHESTRATORS, "tool-runner-2", "store-2"):
        assert f"{name}: process {stack.pid(name)}" in said


async def test_connections_spread_over_gateways_and_turns_over_orchestrators(
    api: Api, stack: Stack, backend: ScriptedBackend, backend_port: int
) -> None:
    backend.always(says(*WORDS).paused(after=2))
    async with AsyncExitStack() as streams:
        bodies = [asks(f"Talk {number}.") for number in range(STREAMS)]
        opened = [await streams.enter_async_context(api.stream(body)) for body in bodies]
        await asyncio.gather(*(each.until("response.output_text.delta", 2) for each in opened))
        readers = _connections(stack, GATEWAYS, stack.port)
        turns = _connections(stack, ORCHESTRATORS, backend_port)
        backend.release()
        for each in opened:
            check_stream(await each.to_the_end())
    assert all(readers[name] for name in GATEWAYS), readers
    assert all(turns[name] for name in ORCHESTRATORS), turns


async def test_a_stream_goes_on_at_the_other_gateway_byte_for_byte(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    backend.script(says(*WORDS).paused(after=4))
    async with api.stream(asks("Talk.")) as stream:
        await stream.until("response.output_text.delta", 4)
        before = _connections(stack, GATEWAYS, stack.port)
        (reader,) = (name for name in GATEWAYS if before[name])
        stack.kill(reader)
        with pytest.raises(aiohttp.ClientError):
            await stream.to_the_end()
    response_id = stream.events[0]["response"]["id"]
    seen = list(stream.frames)
    async with api.join(response_id, after=len(seen) - 1) as rest:
        backend.release()
        await rest.to_the_end()
    async with api.join(response_id) as whole:
        events = await whole.to_the_end()
    check_stream(events)
    assert b"".join([*seen, *rest.frames]) == whole.raw
    await asyncio.to_thread(stack.wait_until_back, reader)


@pytest.mark.timeout(180)
async def test_members_that_are_killed_and_added_under_load_cost_no_client_an_error(
    stack: Stack, backend: ScriptedBackend
) -> None:
    backend.always(says(*WORDS).slowed(each=PACE_S))
    talking = Talking()
    async with AsyncOpenAI(base_url=stack.url, api_key=stack.key) as client:
        with _one_more_orchestrator(stack):
            talks = (_converse(client, talking, streamed=bool(n % 2)) for n in range(TALKERS))
            chains, _ = await asyncio.gather(
                asyncio.gather(*talks), _kill_one_after_the_other(stack, talking)
            )
        for chain in chains:
            assert len(set(chain)) == len(chain)
            last = await client.responses.retrieve(chain[-1])
            assert last.status == "completed"
            assert last.previous_response_id == (chain[-2] if len(chain) > 1 else None)


class Talking:
    """How many turns have ended, and whether there are to be more."""

    def __init__(self) -> None:
        self.over = False
        self._ended = 0
        self._news = asyncio.Condition()

    async def note_end(self) -> None:
        async with self._news:
            self._ended += 1
            self._news.notify_all()

    async def goes_on(self, turns: int) -> None:
        """Wait until so many more turns have ended."""
        async with self._news:
            enough = self._ended + turns
            await self._news.wait_for(lambda: self._ended >= enough)


async def _kill_one_after_the_other(stack: Stack, talking: Talking) -> None:
    """Kill each member in the middle of the talk, and see it come back."""
    for victim in VICTIMS:
        await talking.goes_on(TURNS_BETWEEN)
        stack.kill(victim)
        await asyncio.to_thread(stack.wait_until_back, victim)
    await talking.goes_on(TURNS_BETWEEN)
    talking.over = True


async def _converse(client: AsyncOpenAI, talking: Talking, *, streamed: bool) -> list[str]:
    """Hold a chain of turns as an application does; gives the ids of its responses."""
    ask = _ask_streamed if streamed else _ask
    chain: list[str] = []
    while not talking.over:
        response = await ask(client, f"turn {len(chain)}", chain[-1] if chain else None)
        assert (response.status, response.error) == ("completed", None)
        assert response.output_text.endswith("".join(WORDS))
        chain.append(response.id)
        await talking.note_end()
    return chain


async def _ask(client: AsyncOpenAI, text: str, previous: str | None) -> Response:
    return await client.responses.create(
        model="mock-model", input=text, previous_response_id=previous
    )


async def _ask_streamed(client: AsyncOpenAI, text: str, previous: str | None) -> Response:
    """Ask for a stream; one that breaks is taken up again where it broke, as OpenAI documents."""
    response_id, seen = "", -1
    while True:
        try:
            stream = await (
                client.responses.retrieve(response_id, stream=True, starting_after=seen)
                if response_id
                else client.responses.create(
                    model="mock-model", input=text, previous_response_id=previous, stream=True
                )
            )
            async for event in stream:
                assert event.sequence_number == seen + 1
                seen = event.sequence_number
                if event.type == "response.created":
                    response_id = event.response.id
                if event.type == "response.completed":
                    return event.response
            raise AssertionError(f"{response_id} ended without being completed")
        except APIConnectionError:
            continue


@contextmanager
def _one_more_orchestrator(stack: Stack) -> Generator[None]:
    """Add a member that the runner does not know."""
    process = subprocess.Popen(
        stack.python("turnwire_orchestrator"),
        env=stack.service_environment("orchestrator"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _connections(stack: Stack, members: Sequence[str], port: int) -> dict[str, int]:
    """Count the open connections of each member at a port, its own or the other end's."""
    return {name: _open_at(stack.pid(name), port) for name in members}


def _open_at(pid: int, port: int) -> int:
    found = psutil.Process(pid).net_connections(kind="tcp")
    established = [each for each in found if each.status == psutil.CONN_ESTABLISHED]
    return sum(port in (each.laddr.port, each.raddr.port) for each in established)


def _doctor(stack: Stack) -> str:
    return subprocess.run(
        stack.command("doctor"), env=stack.environment, capture_output=True, text=True, check=False
    ).stdout
