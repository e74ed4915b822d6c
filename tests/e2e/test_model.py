"""The real model that comes with `turnwire up`: a conversation without any other backend."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from openai import AsyncOpenAI

from e2e.rig.stack import Stack

pytestmark = pytest.mark.model


@pytest.fixture
async def client(tmp_path: Path) -> AsyncGenerator[AsyncOpenAI]:
    """OpenAI's SDK on a stack that brings its own model."""
    stack = Stack(tmp_path)
    try:
        await asyncio.to_thread(stack.start)
        async with AsyncOpenAI(base_url=stack.url, api_key="any", max_retries=0) as opened:
            yield opened
    finally:
        await asyncio.to_thread(stack.pull_the_plug)


async def test_the_model_that_comes_along_holds_a_conversation(client: AsyncOpenAI) -> None:
    models = [model.id async for model in client.models.list()]
    assert models == ["smollm2"]
    first = await client.responses.create(
        model="smollm2",
        instructions="Answer in one short sentence.",
        input="My name is Ada. What is the capital of Germany?",
        max_output_tokens=32,
        temperature=0,
    )
    assert first.status in {"completed", "incomplete"}
    assert first.output_text

    async with client.responses.stream(
        model="smollm2",
        input="What is my name?",
        previous_response_id=first.id,
        max_output_tokens=32,
        temperature=0,
    ) as stream:
        deltas = [
            event.delta async for event in stream if event.type == "response.output_text.delta"
        ]
        second = await stream.get_final_response()
    assert "".join(deltas) == second.output_text
    assert second.previous_response_id == first.id
    assert second.instructions == "Answer in one short sentence."
    assert first.usage is not None
    assert second.usage is not None
    # The history is in the prompt: the model read more in the second turn than in the first.
    assert second.usage.input_tokens > first.usage.input_tokens + first.usage.output_tokens
