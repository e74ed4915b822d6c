"""The OpenAI Agents SDK: its runner, its streams, its tools and its two kinds of memory."""

from typing import Any

import pytest
from agents import (
    Agent,
    OpenAIConversationsSession,
    OpenAIResponsesModel,
    OpenAIResponsesWSModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from openai import AsyncOpenAI, NotFoundError
from pydantic import BaseModel

from clients.rig.questions import (
    ADDS,
    ANSWERS_CITY,
    CITY,
    FIRST,
    HOW_MUCH,
    PARIS,
    SECOND,
    SUM,
    TOWER,
)
from e2e.rig.conversation import MODEL, heard, said_in
from scripted_backend import ScriptedBackend

pytestmark = pytest.mark.clients

INSTRUCTIONS = "Be brief."


class City(BaseModel):
    """What the model is to answer with."""

    name: str
    people: int


@function_tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@pytest.fixture(autouse=True)
def _untraced() -> None:
    # Traces would go to OpenAI.
    set_tracing_disabled(disabled=True)


@pytest.fixture
def model(openai_client: AsyncOpenAI) -> OpenAIResponsesModel:
    return OpenAIResponsesModel(MODEL, openai_client)


async def test_an_agent_answers(model: OpenAIResponsesModel, backend: ScriptedBackend) -> None:
    backend.script(PARIS)
    result = await Runner.run(Agent("guide", instructions=INSTRUCTIONS, model=model), FIRST)
    assert result.final_output == "Paris."
    usage = result.context_wrapper.usage
    assert (usage.requests, usage.input_tokens, usage.output_tokens) == (1, 12, 3)
    assert (backend.requests[0].body["instructions"], heard(backend)) == (
        INSTRUCTIONS,
        [("user", FIRST)],
    )


async def test_an_agent_streams_its_answer(
    model: OpenAIResponsesModel, backend: ScriptedBackend
) -> None:
    backend.script(PARIS)
    result = Runner.run_streamed(Agent("guide", model=model), FIRST)
    deltas = [
        event.data.delta
        async for event in result.stream_events()
        if event.type == "raw_response_event"
        if event.data.type == "response.output_text.delta"
    ]
    assert (deltas, result.final_output) == (["Par", "is."], "Paris.")


async def test_an_agent_answers_in_a_type(
    model: OpenAIResponsesModel, backend: ScriptedBackend
) -> None:
    backend.script(ANSWERS_CITY)
    result = await Runner.run(Agent("guide", model=model, output_type=City), FIRST)
    assert result.final_output == City.model_validate(CITY)
    assert backend.requests[0].body["text"]["format"]["type"] == "json_schema"


async def test_an_agent_calls_its_function(
    model: OpenAIResponsesModel, backend: ScriptedBackend
) -> None:
    backend.script(ADDS, SUM)
    result = await Runner.run(Agent("clerk", model=model, tools=[add]), HOW_MUCH)
    assert result.final_output == "It is 42."
    assert heard(backend) == [
        ("user", HOW_MUCH),
        ("function_call", ""),
        ("function_call_output", "42"),
    ]


async def test_an_agent_calls_its_function_in_a_stream(
    model: OpenAIResponsesModel, backend: ScriptedBackend
) -> None:
    backend.script(ADDS, SUM)
    result = Runner.run_streamed(Agent("clerk", model=model, tools=[add]), HOW_MUCH)
    steps = [
        event.item.type
        async for event in result.stream_events()
        if event.type == "run_item_stream_event"
    ]
    assert steps == ["tool_call_item", "tool_call_output_item", "message_output_item"]
    assert result.final_output == "It is 42."


async def test_an_agent_calls_its_function_in_a_chain(
    model: OpenAIResponsesModel, openai_client: AsyncOpenAI, backend: ScriptedBackend
) -> None:
    backend.script(ADDS, SUM)
    agent = Agent("clerk", model=model, tools=[add])
    result = await Runner.run(agent, HOW_MUCH, auto_previous_response_id=True)
    assert result.final_output == "It is 42."
    asked, answered = [each.response_id for each in result.raw_responses]
    assert answered is not None
    stored = await openai_client.responses.retrieve(answered)
    assert stored.previous_response_id == asked
    assert heard(backend) == [
        ("user", HOW_MUCH),
        ("function_call", ""),
        ("function_call_output", "42"),
    ]


async def test_a_run_continues_an_earlier_one(
    model: OpenAIResponsesModel, backend: ScriptedBackend
) -> None:
    backend.script(PARIS, TOWER)
    agent = Agent("guide", instructions=INSTRUCTIONS, model=model)
    first = await Runner.run(agent, FIRST)
    second = await Runner.run(agent, SECOND, previous_response_id=first.last_response_id)
    assert second.final_output == "Its tower."
    assert heard(backend) == [("user", FIRST), ("assistant", "Paris."), ("user", SECOND)]


async def test_a_session_remembers_in_a_conversation(
    model: OpenAIResponsesModel, openai_client: AsyncOpenAI, backend: ScriptedBackend
) -> None:
    backend.script(ADDS, SUM, TOWER)
    agent = Agent("clerk", model=model, tools=[add])
    session: Any = OpenAIConversationsSession(openai_client=openai_client)
    await Runner.run(agent, HOW_MUCH, session=session)
    second = await Runner.run(agent, SECOND, session=session)
    assert second.final_output == "Its tower."
    assert said_in(backend.requests[2]) == [
        ("user", HOW_MUCH),
        ("function_call", ""),
        ("function_call_output", "42"),
        ("assistant", "It is 42."),
        ("user", SECOND),
    ]
    assert len(await session.get_items()) == 6
    await session.pop_item()
    assert len(await session.get_items()) == 5
    kept: str = session.session_id
    await session.clear_session()
    with pytest.raises(NotFoundError):
        await openai_client.conversations.retrieve(kept)


async def test_an_agent_takes_turns_in_a_conversation(
    model: OpenAIResponsesModel, openai_client: AsyncOpenAI, backend: ScriptedBackend
) -> None:
    backend.script(PARIS, TOWER)
    agent = Agent("guide", model=model)
    conversation = await openai_client.conversations.create()
    await Runner.run(agent, FIRST, conversation_id=conversation.id)
    second = await Runner.run(agent, SECOND, conversation_id=conversation.id)
    assert second.final_output == "Its tower."
    assert heard(backend) == [("user", FIRST), ("assistant", "Paris."), ("user", SECOND)]


async def test_an_agent_works_over_a_websocket(
    socket_client: AsyncOpenAI, backend: ScriptedBackend
) -> None:
    backend.script(ADDS, SUM)
    model = OpenAIResponsesWSModel(MODEL, socket_client)
    result = await Runner.run(Agent("clerk", model=model, tools=[add]), HOW_MUCH)
    await model.close()
    assert result.final_output == "It is 42."
    assert heard(backend)[-1] == ("function_call_output", "42")
