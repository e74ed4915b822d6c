"""Questions to tool-runners that come and go, over a real broker."""

import asyncio
from collections.abc import AsyncGenerator, Callable

import nats
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from turnwire_contracts import subjects
from turnwire_contracts.ids import TenantId
from turnwire_contracts.queries import Refusal
from turnwire_contracts.tools import (
    TOOLS_CALL,
    TOOLS_LIST,
    AskForCall,
    AskForTools,
    Called,
    Tools,
    ToolServer,
)
from turnwire_orchestrator.clients.tools_client import ToolCallTimeouts, ToolRunners
from turnwire_testing.tool_turns import LOOK
from turnwire_testing.waiting import eventually

WITHIN_S = 20
IMPATIENT = ToolCallTimeouts(silence_s=1.2, back_within_s=WITHIN_S)
TENANT, SERVER = TenantId("acme"), ToolServer("shop", "https://shop.example/mcp")
CALL = AskForCall(TENANT, SERVER, "mcp_1", "look", "{}")
LIST = AskForTools(TENANT, SERVER, call_id="list_1")
DONE = Called(output="done")


@pytest.fixture
async def client(nats_url: str) -> AsyncGenerator[Client]:
    """The connection of a runner."""
    async for each in connected(nats_url):
        yield each


@pytest.fixture
async def asking(nats_url: str) -> AsyncGenerator[Client]:
    """The connection of an orchestrator."""
    async for each in connected(nats_url):
        yield each


async def connected(nats_url: str) -> AsyncGenerator[Client]:
    opened = await nats.connect(nats_url)
    yield opened
    await opened.close()


async def asked_in_vain(asking: Client, times: int) -> None:
    """Wait until a question was asked so many times more, and nobody was there."""
    before = asking.stats["out_msgs"]
    await eventually(lambda: _true(asking.stats["out_msgs"] >= before + times), WITHIN_S)


async def _true(fact: bool) -> bool:  # noqa: FBT001 -- what is waited for
    return fact


async def runner(client: Client, subject: str, answer: Callable[[Msg], bytes | None]) -> list[Msg]:
    """Have a runner that answers like this, or is lost with `None`; gives what it is asked."""
    heard: list[Msg] = []

    async def hear(message: Msg) -> None:
        heard.append(message)
        said = answer(message)
        if said is not None:
            await message.respond(said)
        else:
            await subscription.unsubscribe()

    subscription = await client.subscribe(subject, cb=hear)
    await client.flush()
    return heard


async def test_a_call_waits_for_a_runner_however_long_the_silence(
    client: Client, asking: Client
) -> None:
    runners = ToolRunners(asking, 1, IMPATIENT)
    calling = asyncio.create_task(runners.call(CALL))
    # Each time is as long as the silence that a lost runner is known by.
    await asked_in_vain(asking, 5)
    assert not calling.done()
    heard = await runner(client, TOOLS_CALL.subject, lambda _: TOOLS_CALL.encode_answer(DONE))
    assert await calling == DONE
    assert len(heard) == 1


async def test_a_lost_runner_is_told_by_its_silence_and_the_call_can_be_made_again(
    client: Client, asking: Client
) -> None:
    runners = ToolRunners(asking, 1, IMPATIENT)
    lost = await runner(client, TOOLS_CALL.subject, lambda _: None)
    assert await runners.call(CALL) is None
    again = asyncio.create_task(runners.call(CALL))
    await asked_in_vain(asking, 5)
    heard = await runner(client, TOOLS_CALL.subject, lambda _: TOOLS_CALL.encode_answer(DONE))
    assert await again == DONE
    assert (len(lost), len(heard)) == (1, 1)


async def test_when_no_runner_comes_the_call_was_certainly_not_made(asking: Client) -> None:
    runners = ToolRunners(asking, 1, ToolCallTimeouts(silence_s=WITHIN_S, back_within_s=0.5))
    answer = await runners.call(CALL)
    assert isinstance(answer, Refusal)
    assert (answer.failure.http_status, answer.failure.code) == (503, "tool_runner_unavailable")


async def test_a_list_that_a_lost_runner_had_is_made_by_the_next(
    client: Client, asking: Client
) -> None:
    runners = ToolRunners(asking, 1, IMPATIENT)
    lost = await runner(client, TOOLS_LIST.subject, lambda _: None)
    listing = asyncio.create_task(runners.tools(LIST))
    await eventually(lambda: _true(bool(lost)), WITHIN_S)
    await asked_in_vain(asking, 3)
    await runner(client, TOOLS_LIST.subject, lambda _: TOOLS_LIST.encode_answer(Tools([LOOK])))
    assert (await listing).tools == [LOOK]


async def test_a_list_waits_for_a_runner_that_restarts_as_long_as_a_call(
    client: Client, asking: Client
) -> None:
    runners = ToolRunners(asking, 1, ToolCallTimeouts(silence_s=WITHIN_S, back_within_s=WITHIN_S))
    listing = asyncio.create_task(runners.tools(LIST))
    # Longer than a question to the store waits for one.
    await asked_in_vain(asking, 18)
    await runner(client, TOOLS_LIST.subject, lambda _: TOOLS_LIST.encode_answer(Tools([LOOK])))
    assert (await listing).tools == [LOOK]


async def test_signs_of_life_keep_a_question_alive(client: Client, asking: Client) -> None:
    runners = ToolRunners(asking, 1, IMPATIENT)
    beats = 0

    async def work(message: Msg) -> None:
        nonlocal beats
        until = asyncio.get_running_loop().time() + 4 * IMPATIENT.silence_s
        while asyncio.get_running_loop().time() < until:
            beats += 1
            await client.publish(subjects.tool_progress(CALL.call_id), b"")
            await client.flush()
            await asyncio.sleep(IMPATIENT.silence_s / 8)
        await message.respond(TOOLS_CALL.encode_answer(DONE))

    await client.subscribe(TOOLS_CALL.subject, cb=work)
    await client.flush()
    assert await runners.call(CALL) == DONE
    assert beats > 1


async def test_whoever_asks_no_more_says_so(client: Client, asking: Client) -> None:
    told = asyncio.Event()

    async def hear(_: Msg) -> None:
        told.set()

    await client.subscribe(subjects.tool_cancel(CALL.call_id), cb=hear)
    asked = asyncio.Event()

    async def hold(_: Msg) -> None:
        asked.set()

    await client.subscribe(TOOLS_CALL.subject, cb=hold)
    await client.flush()
    calling = asyncio.create_task(ToolRunners(asking, 1).call(CALL))
    async with asyncio.timeout(WITHIN_S):
        await asked.wait()
        calling.cancel()
        await told.wait()
