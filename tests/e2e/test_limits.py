"""Limits as users meet them: several gateways, real processes, and some of them killed."""

import asyncio
from collections.abc import Generator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from e2e.conftest import running
from e2e.rig.conversation import asks
from e2e.rig.gateway import one_more_gateway
from e2e.rig.stack import Stack
from e2e.rig.wire import JSON, Api
from scripted_backend import ScriptedBackend, says
from turnwire_testing.waiting import eventually

LIMITS = """
limits:
  default:
    requests_per_minute: 1000
    tokens_per_minute: 1000000
    concurrent_turns: 3
    concurrent_streams: 2
"""
LEASE_IS_OVER_WITHIN = 60.0


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, backend_port: int) -> Generator[Stack]:
    """A stack with limits."""
    written = tmp_path_factory.mktemp("written") / "limits.yaml"
    written.write_text(LIMITS)
    url = f"http://127.0.0.1:{backend_port}/v1"
    yield from running(
        Stack(tmp_path_factory.mktemp("limits"), backend_url=url, limits=str(written))
    )


@pytest.fixture(scope="module")
def second_gateway(stack: Stack) -> Generator[str]:
    """The address of one more gateway, which outlives the tests that count."""
    with one_more_gateway(stack) as url:
        yield url


async def status_of(api: Api, **fields: object) -> int:
    """Ask for a response, and read it to its end."""
    async with api.answer(asks("Hello?", **fields)) as response:
        await response.read()
        return response.status


async def left(api: Api, what: str) -> int:
    """Ask for a response; gives what the answer says is left of a limit."""
    async with api.answer(asks("Hello?")) as response:
        assert response.status == 200
        return int(response.headers[f"x-ratelimit-remaining-{what}"])


async def test_the_tokens_of_a_turn_are_charged_when_it_ends_and_every_gateway_knows(
    api: Api, second_gateway: str, backend: ScriptedBackend
) -> None:
    status, first = await api.post(asks("Hello?"))
    cost = first["usage"]["total_tokens"]
    assert (status, cost > 0) == (200, True)
    before = await left(api, "tokens")
    other = api.under(second_gateway)
    asked = 0

    async def is_charged() -> bool:
        nonlocal asked
        asked += 1
        return before - await left(other, "tokens") >= cost

    await eventually(is_charged)
    # The first turn may have been charged after `before` was read, as all that came after it.
    assert before - await left(other, "tokens") <= cost * (asked + 2)
    assert len(backend.requests) == asked + 3


async def test_background_turns_have_their_places_until_they_end(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(*(says("Slow", "ly.").paused(after=1) for _ in range(3)))
    promised: list[tuple[int, JSON]] = []

    async def is_promised() -> bool:
        # The end of the turn before is written a moment later.
        promised.append(await api.post(asks("Hello?", background=True)))
        return promised[-1][0] == 202 or promised.pop()[0] == 202

    for _ in range(3):
        await eventually(is_promised)
    status, refused = await api.post(asks("Hello?", background=True))
    assert (status, refused["error"]["code"]) == (429, "rate_limit_exceeded")
    assert await status_of(api) == 429
    await backend.saw_pause(count=3)
    backend.release()
    for _, response in promised:
        assert (await api.ended(response["id"]))["status"] == "completed"

    async def is_let_in() -> bool:
        return await status_of(api) == 200

    await eventually(is_let_in)


async def test_the_streams_of_a_gateway_that_is_killed_give_their_places_back(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    backend.script(*(says("Talk", "ing.").paused(after=1) for _ in range(2)))
    async with AsyncExitStack() as streams:
        with one_more_gateway(stack) as url:
            for _ in range(2):
                talking = api.under(url).stream(asks("Talk."))
                stream = await streams.enter_async_context(talking)
                await stream.until("response.output_text.delta")
            assert await status_of(api, stream=True) == 429
            assert await status_of(api) == 200, "there is a place for a turn without a stream"
        # Leaving the block above was a SIGKILL.
        assert await status_of(api, stream=True) == 429

        async def is_let_in() -> bool:
            return await status_of(api, stream=True) == 200

        await eventually(is_let_in, LEASE_IS_OVER_WITHIN)
        backend.release()


async def test_a_broker_that_was_killed_begins_to_count_anew(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    before = [await left(api, "requests") for _ in range(5)]
    stack.kill("nats")
    stack.wait_until_back("nats")
    await api.until_well()

    async def is_let_in() -> bool:
        return await status_of(api) == 200

    await eventually(is_let_in, 20.0)
    assert await left(api, "requests") > before[-1]
    assert len(backend.requests) == 7


async def test_limits_that_the_file_says_now_hold_at_every_gateway_without_a_restart(
    api: Api, stack: Stack, second_gateway: str, backend: ScriptedBackend
) -> None:
    backend.always(says("Hello."))
    file = Path(stack.environment["TURNWIRE_LIMITS"])
    before = await asyncio.to_thread(file.read_text)
    key = await asyncio.to_thread(
        stack.new_key, "--user", "olga", "--role", "operator", tenant="ops"
    )
    operator = api.of({"Authorization": f"Bearer {key}"})
    tight = before + "  tenants:\n    ops: { requests_per_minute: 1, max_items: 7 }\n"
    await asyncio.to_thread(file.write_text, tight)
    try:
        for each in (operator, operator.under(second_gateway)):
            told = await each.until(
                "/admin/limits?tenant=ops",
                lambda found: found["data"][0]["limits"]["max_items"] == 7,
            )
        assert told["data"][0]["limits"]["concurrent_turns"] == 3
        statuses = [await status_of(operator), await status_of(operator.under(second_gateway))]
        assert statuses == [200, 429]
        _, told = await operator.get("/admin/limits?tenant=ops")
        assert told["data"][0]["used"]["requests_in_last_minute"] == 1
        await asyncio.to_thread(file.write_text, "limits: {defaults: {}}")
        system = await operator.until("/admin/system", lambda found: "ignored" in str(found))
        assert "limits.yaml:1" in str([each["details"] for each in system["members"]])
        assert await status_of(operator) == 429
    finally:
        await asyncio.to_thread(file.write_text, before)
