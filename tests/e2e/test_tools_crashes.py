"""Calls of tools that are lost or no longer wanted: repeated where that is the same, and ended.

`test_tools_struck.py` kills at every point of a call. The tool's own server counts, on disk.
"""

import asyncio
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from e2e.rig.conversation import asks
from e2e.rig.desk import Desk, running_desk
from e2e.rig.stack import Stack
from e2e.rig.wire import JSON, Api, text_of
from scripted_backend import ScriptedBackend, calls, says
from turnwire_testing.ports import free_port
from turnwire_testing.stream_grammar import check_stream

GOES_ON_WITHIN = 60.0
VICTIMS = ("orchestrator", "tool-runner")


@pytest.fixture
def stack(fragile_stack: Stack) -> Stack:
    """The stack of which processes are killed."""
    return fragile_stack


@pytest.fixture
def word() -> str:
    """What is held in this test only."""
    return uuid.uuid4().hex


@dataclass(frozen=True)
class Scene:
    """All that a crash needs."""

    api: Api
    stack: Stack
    backend: ScriptedBackend
    desk: Desk
    word: str


@pytest.fixture
def scene(api: Api, stack: Stack, backend: ScriptedBackend, desk: Desk, word: str) -> Scene:
    """A stack, a model, a desk and a word."""
    return Scene(api, stack, backend, desk, word)


def talk(desk: Desk, **fields: Any) -> JSON:
    """Ask something with the desk at hand."""
    return asks("Do it.", tools=[desk.tool()], **fields)


async def killed(stack: Stack, name: str) -> None:
    """Kill a process and wait until its successor works."""
    stack.kill(name)
    await asyncio.to_thread(stack.wait_until_back, name)


def ended_once(events: list[JSON]) -> JSON:
    """Check a whole stream; gives the response at its end."""
    check_stream(events)
    assert events[-1]["type"] == "response.completed", events[-1]
    return events[-1]["response"]


def calls_in(response: JSON) -> list[JSON]:
    """The calls of MCP tools that ended by themselves."""
    return [item for item in response["output"] if item["type"] == "mcp_call"]


@pytest.mark.parametrize("victim", VICTIMS)
async def test_killed_during_a_call_that_may_be_repeated_it_is_made_again(
    scene: Scene, victim: str
) -> None:
    scene.backend.script(calls("hold_safely", {"word": scene.word}), says("Done."))
    async with scene.api.stream(talk(scene.desk)) as stream:
        await desk_began(
            stream_read := asyncio.create_task(stream.to_the_end()), scene.desk, scene.word
        )
        await killed(scene.stack, victim)
        await scene.desk.began(scene.word, 2)
        scene.desk.let(scene.word)
        async with asyncio.timeout(GOES_ON_WITHIN):
            response = ended_once(await stream_read)
    (call,) = calls_in(response)
    assert (call["status"], call["output"]) == ("completed", f"did {scene.word}")


async def test_who_cancels_a_turn_cancels_its_call_and_the_chain_goes_on(
    api: Api, backend: ScriptedBackend, desk: Desk, word: str
) -> None:
    backend.script(calls("hold", {"word": word}))
    _, queued = await api.post(talk(desk, background=True))
    await desk.began(word)

    status, cancelled = await api.call("POST", f"/responses/{queued['id']}/cancel")
    assert (status, cancelled["status"]) == (200, "cancelled"), cancelled
    await desk.wrote(gave_up=word)
    backend.script(says("Well."))
    status, after = await api.post(asks("And now?", queued["id"], tools=[desk.tool()]))

    assert (status, text_of(after)) == (200, "Well."), after
    assert desk.did(word) == 1
    (call,) = calls_in(cancelled)
    assert call["status"] == "failed"


@pytest.mark.parametrize("way", [{}, {"stream": True}])
async def test_a_server_is_told_that_the_client_of_its_call_has_left(
    impatient_api: Api, backend: ScriptedBackend, desk: Desk, word: str, way: JSON
) -> None:
    backend.script(calls("hold", {"word": word}))
    body = talk(desk, **way)
    leaving = asyncio.create_task(impatient_api.post(body))
    await desk.began(word)
    leaving.cancel()
    await desk.wrote(gave_up=word)
    assert desk.did(word) == 1


async def test_a_server_that_dies_in_mid_call_is_a_lost_connection(
    api: Api, backend: ScriptedBackend, word: str, tmp_path: Path
) -> None:
    backend.script(calls("hold", {"word": word}), says("It is gone."))
    with running_desk(tmp_path, free_port()) as desk:
        asking = asyncio.create_task(api.post(talk(desk)))
        await desk.began(word)
        desk.stop()
        status, response = await asking
        assert desk.did(word) == 1
    assert (status, text_of(response)) == (200, "It is gone."), response
    (call,) = calls_in(response)
    assert call["error"] == {
        "type": "http_error",
        "code": 0,
        "message": "The connection was lost before it had answered.",
    }


async def desk_began(reading: "asyncio.Task[list[JSON]]", desk: Desk, word: str) -> None:
    """Wait until the desk is at it, while somebody reads the stream."""
    await desk.began(word)
    assert not reading.done()
