"""What happened to a turn is read from a gateway alone, while it happens and afterwards."""

import asyncio

import aiohttp
import orjson
import pytest

from e2e.rig.conversation import asks
from e2e.rig.stack import Stack
from e2e.rig.wire import Api
from scripted_backend import ScriptedBackend, says


@pytest.fixture
def stack(fragile_stack: Stack) -> Stack:
    """The stack of which processes are killed."""
    return fragile_stack


async def test_a_takeover_is_seen_as_it_happens_by_a_machine_that_sees_only_the_gateway(
    api: Api, session: aiohttp.ClientSession, stack: Stack, backend: ScriptedBackend
) -> None:
    backend.script(says("half ", "never").paused(after=1), says("whole"))
    async with api.stream(asks("Talk.", background=True)) as stream:
        response_id = (await stream.until("response.created"))["response"]["id"]
        await stream.until("response.output_text.delta")
        url = f"{stack.url}/responses/{response_id}/events"
        async with session.get(url, params={"stream": "true"}, headers=stack.bearer) as live:
            stack.kill("orchestrator")
            async with asyncio.timeout(60):
                await stream.to_the_end()
                *frames, done, _ = (await live.read()).split(b"\n\n")
    assert done == b"data: [DONE]"
    told = [frame for frame in frames if not frame.startswith(b":")]
    events = [orjson.loads(frame.partition(b"\ndata: ")[2]) for frame in told]
    kinds = [event["type"] for event in events]
    assert kinds == ["requested", "started", "taken_over", "closed"]
    assert events[2]["data"]["abandoned"][0]["content"][0]["text"] == "half "
    status, page = await api.get(f"/responses/{response_id}/events")
    assert (status, page["data"]) == (200, events)
    stack.wait_until_back("orchestrator")
