"""Stopping, pulling the plug, losing the database: conversations are there again afterwards."""

import asyncio
import shutil

import pytest

from e2e.rig.conversation import asks, heard
from e2e.rig.stack import Stack
from e2e.rig.wire import JSON, Api, Stream, text_of
from scripted_backend import ScriptedBackend, says
from turnwire_testing.stream_grammar import check_stream


@pytest.fixture
def stack(fragile_stack: Stack) -> Stack:
    """The stack that is stopped and started."""
    return fragile_stack


async def test_a_conversation_goes_on_after_a_stop_and_a_start(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    said, stream = await _conversation(api, backend)
    await asyncio.to_thread(stack.stop)
    await asyncio.to_thread(stack.start)
    await _goes_on(api, backend, said, stream)


async def test_the_store_builds_its_database_anew_from_the_log(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    said, stream = await _conversation(api, backend)
    await asyncio.to_thread(stack.pull_the_plug)
    shutil.rmtree(stack.data / "mongo")
    await asyncio.to_thread(stack.start)
    await _goes_on(api, backend, said, stream)


async def test_a_turn_that_ran_when_the_plug_was_pulled_is_finished_after_the_start(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    backend.script(says("Hel", "lo.").paused(after=1), says("Here I am."))
    async with api.stream(asks("Are you there?")) as lost:
        created = await lost.until("response.created")
        await lost.until("response.output_text.delta")
        await asyncio.to_thread(stack.pull_the_plug)
    await asyncio.to_thread(stack.start)
    async with api.join(created["response"]["id"]) as stream:
        events = await stream.to_the_end()
    check_stream(events)
    # The frames were in the broker's memory only, so nobody can say any more what was seen.
    assert text_of(events[-1]["response"]) == "Here I am."


async def _conversation(api: Api, backend: ScriptedBackend) -> tuple[list[JSON], Stream]:
    """Hold a plain turn and a streamed one."""
    backend.script(says("My name is Ada."), says("I am ", "a ", "poet."))
    _, first = await api.post(asks("Who are you?", instructions="Be brief."))
    async with api.stream(asks("And what?", first["id"])) as stream:
        events = await stream.to_the_end()
    return [first, events[-1]["response"]], stream


async def _goes_on(api: Api, backend: ScriptedBackend, said: list[JSON], stream: Stream) -> None:
    for response in said:
        assert await api.get(f"/responses/{response['id']}") == (200, response)
    async with api.join(said[-1]["id"]) as again:
        await again.to_the_end()
    assert again.frames == stream.frames
    status, _ = await api.post(asks("Sure?", said[-1]["id"]))
    assert status == 200
    assert [text for _, text in heard(backend)] == [
        "Who are you?",
        "My name is Ada.",
        "And what?",
        "I am a poet.",
        "Sure?",
    ]
    assert backend.requests[-1].body["instructions"] == "Be brief."
