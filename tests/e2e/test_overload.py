"""More is asked than can be: who is quiet is served, the rest is refused soon, nothing is lost."""

import asyncio
from collections import Counter
from collections.abc import Generator

import pytest

from e2e.conftest import running
from e2e.rig.conversation import asks
from e2e.rig.stack import Stack
from e2e.rig.wire import JSON, Api
from scripted_backend import ScriptedBackend, says
from turnwire_testing.waiting import eventually

WORDS = [f"word{number} " for number in range(5)]
PACE_S = 0.02
MAX_QUEUE_S = 1.0
FLOOD = 150


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, backend_port: int) -> Generator[Stack]:
    """A stack of two orchestrators with two places each, foreground and background."""
    yield from running(
        Stack(
            tmp_path_factory.mktemp("overload"),
            backend_url=f"http://127.0.0.1:{backend_port}/v1",
            scale="orchestrator=2",
            max_turns="2",
            max_background_turns="2",
            max_queue_s=f"{MAX_QUEUE_S:g}",
        )
    )


async def caller(stack: Stack, api: Api, tenant: str) -> Api:
    """Give the routes as another tenant sees them, once its key counts."""
    who = ("--user", tenant, "--role", "user")
    key = await asyncio.to_thread(stack.new_key, *who, tenant=tenant)
    other = api.of({"Authorization": f"Bearer {key}"})

    async def counts() -> bool:
        return (await other.get("/models"))[0] == 200

    await eventually(counts)
    return other


async def test_what_cannot_be_served_in_time_is_refused_and_what_is_served_is_whole(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.always(says(*WORDS).slowed(each=PACE_S))
    seen: Counter[int] = Counter()

    async def ask(number: int) -> None:
        async with api.answer(asks(f"Question {number}?")) as response:
            body: JSON = await response.json()
            seen[response.status] += 1
            if response.status == 503:
                assert body["error"]["code"] == "overloaded", body
                assert 1 <= int(response.headers["retry-after"]) <= 30
            else:
                assert (response.status, body["status"]) == (200, "completed"), body

    # Some ten seconds of work for four places, of which little can begin within one second.
    async with asyncio.timeout(30):
        await asyncio.gather(*(ask(number) for number in range(400)))
        assert seen[200] >= 4
        assert seen[503] >= 100
        assert len(backend.requests) == seen[200], "what is refused never began"
        # It is over as soon as it is over.
        status, _ = await api.post(asks("Hello?"))
        assert status == 200


async def test_a_streamed_turn_is_refused_by_its_status_too(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(*(says(*WORDS).paused(after=1) for _ in range(4)))
    running = [asyncio.create_task(api.post(asks(f"Long {number}."))) for number in range(4)]
    await backend.saw_pause(count=4)
    async with api.answer(asks("Hello?", stream=True)) as response:
        body = await response.json()
        assert (response.status, body["error"]["code"]) == (503, "overloaded")
        assert response.headers["retry-after"]
    backend.release()
    assert [status for status, _ in await asyncio.gather(*running)] == [200] * 4


@pytest.mark.timeout(180)
async def test_a_background_flood_holds_up_no_other_tenant_though_an_orchestrator_is_killed(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    backend.always(says(*WORDS).slowed(each=2 * PACE_S))
    quiet = await caller(stack, api, "quiet")

    async def queue(by: Api, name: str) -> str:
        status, response = await by.post(asks(name, background=True))
        assert status == 202, response
        return response["id"]

    flood = [await queue(api, f"Flood {number}.") for number in range(FLOOD)]
    mine = [await queue(quiet, f"Quiet {number}.") for number in range(3)]
    # It runs two turns, and holds others that have not begun.
    stack.kill("orchestrator-2")
    for response_id in mine:
        assert (await quiet.ended(response_id, within=30.0))["status"] == "completed"
    waiting = (await api.get(f"/responses/{flood[-1]}"))[1]["status"]
    assert waiting == "queued", "the flood was through before: this tells nothing"
    for response_id in flood:
        assert (await api.ended(response_id, within=90.0))["status"] == "completed"
