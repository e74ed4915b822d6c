"""The real model that comes with `turnwire up`: a conversation without any other backend."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest
from openai import AsyncOpenAI

from e2e.conftest import running
from e2e.rig.desk import Desk
from e2e.rig.stack import Stack

pytestmark = pytest.mark.model


EXAMPLES = Path(__file__).parents[2] / "examples"
RUN_WITHIN = 60.0


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Generator[Stack]:
    """A stack that brings its own model."""
    yield from running(Stack(tmp_path_factory.mktemp("model")))


@pytest.fixture
async def client(own_stack: Stack) -> AsyncGenerator[AsyncOpenAI]:
    """OpenAI's SDK on that stack."""
    async with AsyncOpenAI(base_url=own_stack.url, api_key=own_stack.key, max_retries=0) as opened:
        yield opened


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


async def test_every_example_holds_its_conversation_with_the_real_model(own_stack: Stack) -> None:
    environment = {
        **own_stack.environment,
        "TURNWIRE_URL": own_stack.url,
        "TURNWIRE_TOKEN": own_stack.key,
    }
    for program in ("curl.sh", "openai_sdk.py", "pydantic_ai_agent.py", "langgraph_chat.py"):
        interpreter = "bash" if program.endswith(".sh") else sys.executable
        process = await asyncio.create_subprocess_exec(
            interpreter,
            str(EXAMPLES / program),
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(RUN_WITHIN):
            printed, _ = await process.communicate()
        assert process.returncode == 0, printed.decode()
        assert len(printed.decode().strip().splitlines()) >= 2


async def test_the_model_that_comes_along_is_made_to_use_a_tool_of_a_server(
    client: AsyncOpenAI, desk: Desk
) -> None:
    response = await client.responses.create(
        model="smollm2",
        input="Which time is it in Tokyo?",
        tool_choice="required",
        tools=[
            {
                "type": "mcp",
                "server_label": "desk",
                "server_url": desk.url,
                "allowed_tools": ["get_time"],
                "require_approval": "never",
            }
        ],
        max_output_tokens=256,
        temperature=0,
    )
    # How well it fills in the arguments is the model's affair; that it calls, and goes on, is ours.
    kinds = [item.type for item in response.output]
    assert kinds[:2] == ["mcp_list_tools", "mcp_call"]
    assert len(desk.calls("get_time")) == kinds.count("mcp_call")
