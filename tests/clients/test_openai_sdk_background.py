"""OpenAI's Python SDK: turns that run on their own."""

import asyncio

import openai
import pytest
from openai import AsyncOpenAI
from openai.types.responses import Response, ResponseStreamEvent

from clients.rig.questions import FIRST, PARIS
from e2e.rig.conversation import MODEL, heard
from scripted_backend import ScriptedBackend

pytestmark = pytest.mark.clients


async def test_a_background_answer_is_polled(
    openai_client: AsyncOpenAI, backend: ScriptedBackend
) -> None:
    backend.script(PARIS.paused(after=1))
    created = await openai_client.responses.create(model=MODEL, input=FIRST, background=True)
    assert (created.status, created.background, created.output) == ("queued", True, [])
    await backend.saw_pause()
    running = await _until(openai_client, created.id, "in_progress")
    await backend.saw_pause()
    backend.release()
    ended = await _until(openai_client, created.id, "completed")
    assert (running.id, ended.id) == (created.id, created.id)
    assert (ended.output_text, ended.background) == ("Paris.", True)
    assert ended.usage is not None
    assert ended.usage.total_tokens == 15
    assert heard(backend) == [("user", FIRST)]


async def test_a_background_stream_is_left_and_joined_again(
    openai_client: AsyncOpenAI, backend: ScriptedBackend
) -> None:
    backend.script(PARIS.paused(after=1))
    events: list[ResponseStreamEvent] = []
    async with await openai_client.responses.create(
        model=MODEL, input=FIRST, background=True, stream=True
    ) as stream:
        async for event in stream:
            events.append(event)
            if event.type == "response.output_text.delta":
                break
    created = events[0]
    assert created.type == "response.created"
    joined = await openai_client.responses.retrieve(
        created.response.id, stream=True, starting_after=events[-1].sequence_number
    )
    await backend.saw_pause()
    backend.release()
    events += [event async for event in joined]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert deltas == ["Par", "is."]
    last = events[-1]
    assert last.type == "response.completed"
    assert last.response.output_text == "Paris."


async def test_a_background_answer_is_cancelled(
    openai_client: AsyncOpenAI, backend: ScriptedBackend
) -> None:
    backend.script(PARIS.paused(after=1), PARIS)
    created = await openai_client.responses.create(model=MODEL, input=FIRST, background=True)
    await backend.saw_pause()
    cancelled = await openai_client.responses.cancel(created.id)
    again = await openai_client.responses.cancel(created.id)
    await backend.saw_disconnect()
    assert (cancelled.status, again.status) == ("cancelled", "cancelled")
    assert (await openai_client.responses.retrieve(created.id)).status == "cancelled"
    other = await openai_client.responses.create(model=MODEL, input=FIRST, background=True)
    await _until(openai_client, other.id, "completed")
    with pytest.raises(openai.BadRequestError):
        await openai_client.responses.cancel(other.id)


async def _until(client: AsyncOpenAI, response_id: str, status: str) -> Response:
    async with asyncio.timeout(60):
        while True:
            response = await client.responses.retrieve(response_id)
            if response.status == status:
                return response
            await asyncio.sleep(0.05)
