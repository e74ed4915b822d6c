"""PydanticAI: runs, streams, types, tools, chains, background and counting."""

import pytest
from openai import AsyncOpenAI
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput, UsageLimitExceeded, UsageLimits
from pydantic_ai.models.openai import (
    OpenAICompaction,
    OpenAIResponsesModel,
    OpenAIResponsesModelSettings,
)
from pydantic_ai.providers.openai import OpenAIProvider

from clients.rig.programs import released_once
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
AUTO = OpenAIResponsesModelSettings(openai_previous_response_id="auto")


class City(BaseModel):
    """What the model is to answer with."""

    name: str
    people: int


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@pytest.fixture
def model(openai_client: AsyncOpenAI) -> OpenAIResponsesModel:
    return OpenAIResponsesModel(MODEL, provider=OpenAIProvider(openai_client=openai_client))


async def test_an_agent_answers(model: OpenAIResponsesModel, backend: ScriptedBackend) -> None:
    backend.script(PARIS)
    result = await Agent(model, instructions=INSTRUCTIONS).run(FIRST)
    assert result.output == "Paris."
    assert (result.usage.input_tokens, result.usage.output_tokens) == (12, 3)
    assert result.response.provider_response_id is not None
    assert result.response.provider_response_id.startswith("resp_")
    assert (backend.requests[0].body["instructions"], heard(backend)) == (
        INSTRUCTIONS,
        [("user", FIRST)],
    )


async def test_an_agent_streams_its_answer(
    model: OpenAIResponsesModel, backend: ScriptedBackend
) -> None:
    backend.script(PARIS)
    async with Agent(model).run_stream(FIRST) as result:
        texts = [text async for text in result.stream_text(delta=True, debounce_by=None)]
    assert texts == ["Par", "is."]
    assert result.usage.total_tokens == 15


async def test_an_agent_answers_in_a_type(
    model: OpenAIResponsesModel, backend: ScriptedBackend
) -> None:
    backend.script(ANSWERS_CITY)
    result = await Agent(model, output_type=NativeOutput(City)).run(FIRST)
    assert result.output == City.model_validate(CITY)
    assert backend.requests[0].body["text"]["format"]["type"] == "json_schema"


async def test_an_agent_calls_its_function(
    model: OpenAIResponsesModel, backend: ScriptedBackend
) -> None:
    backend.script(ADDS, SUM)
    result = await Agent(model, tools=[add]).run(HOW_MUCH)
    assert result.output == "It is 42."
    assert heard(backend) == [
        ("user", HOW_MUCH),
        ("function_call", ""),
        ("function_call_output", "42"),
    ]


async def test_an_agent_calls_its_function_in_a_stream(
    model: OpenAIResponsesModel, backend: ScriptedBackend
) -> None:
    backend.script(ADDS, SUM)
    async with Agent(model, tools=[add]).run_stream(HOW_MUCH) as result:
        texts = [text async for text in result.stream_text(delta=True, debounce_by=None)]
    assert texts == ["It is ", "42."]
    assert heard(backend)[-1] == ("function_call_output", "42")


async def test_a_run_continues_a_response_that_it_is_told(
    model: OpenAIResponsesModel, backend: ScriptedBackend
) -> None:
    backend.script(PARIS, TOWER)
    first = await Agent(model).run(FIRST)
    before = first.response.provider_response_id
    assert before is not None
    settings = OpenAIResponsesModelSettings(openai_previous_response_id=before)
    second = await Agent(model, model_settings=settings).run(SECOND)
    assert second.output == "Its tower."
    assert heard(backend) == [("user", FIRST), ("assistant", "Paris."), ("user", SECOND)]


async def test_a_run_sends_only_what_is_new(
    model: OpenAIResponsesModel, openai_client: AsyncOpenAI, backend: ScriptedBackend
) -> None:
    backend.script(PARIS, ADDS, SUM)
    agent = Agent(model, instructions=INSTRUCTIONS, tools=[add], model_settings=AUTO)
    first = await agent.run(FIRST)
    second = await agent.run(HOW_MUCH, message_history=first.all_messages())
    assert second.output == "It is 42."
    assert heard(backend) == [
        ("user", FIRST),
        ("assistant", "Paris."),
        ("user", HOW_MUCH),
        ("function_call", ""),
        ("function_call_output", "42"),
    ]
    answered = second.response.provider_response_id
    assert answered is not None
    stored = await openai_client.responses.retrieve(answered)
    asked = await openai_client.responses.retrieve(stored.previous_response_id or "none")
    assert asked.previous_response_id == first.response.provider_response_id


async def test_an_agent_takes_turns_in_a_conversation(
    model: OpenAIResponsesModel, openai_client: AsyncOpenAI, backend: ScriptedBackend
) -> None:
    backend.script(PARIS, TOWER)
    conversation = await openai_client.conversations.create()
    settings = OpenAIResponsesModelSettings(openai_conversation_id=conversation.id)
    agent = Agent(model, model_settings=settings)
    await agent.run(FIRST)
    second = await agent.run(SECOND)
    assert second.output == "Its tower."
    assert heard(backend) == [("user", FIRST), ("assistant", "Paris."), ("user", SECOND)]


async def test_an_agent_waits_for_a_background_answer(
    model: OpenAIResponsesModel, openai_client: AsyncOpenAI, backend: ScriptedBackend
) -> None:
    backend.script(PARIS.paused(after=1))
    settings = OpenAIResponsesModelSettings(openai_background=True)
    agent = Agent(model, model_settings=settings)
    result = await released_once(backend, agent.run(FIRST))
    assert result.output == "Paris."
    stored = await openai_client.responses.retrieve(result.response.provider_response_id or "none")
    assert (stored.background, stored.status) == (True, "completed")


async def test_an_agent_streams_a_background_answer(
    model: OpenAIResponsesModel, backend: ScriptedBackend
) -> None:
    backend.script(PARIS)
    settings = OpenAIResponsesModelSettings(openai_background=True)
    async with Agent(model, model_settings=settings).run_stream(FIRST) as result:
        texts = [text async for text in result.stream_text(delta=True, debounce_by=None)]
    assert "".join(texts) == "Paris."


async def test_an_agent_counts_tokens_before_it_asks(
    model: OpenAIResponsesModel, backend: ScriptedBackend
) -> None:
    limits = UsageLimits(input_tokens_limit=3, count_tokens_before_request=True)
    with pytest.raises(UsageLimitExceeded):
        await Agent(model).run(FIRST * 20, usage_limits=limits)
    assert len(backend.requests) == 0


async def test_an_agent_has_its_history_compacted(
    model: OpenAIResponsesModel, backend: ScriptedBackend
) -> None:
    backend.always(TOWER)
    first = await Agent(model).run(FIRST)
    compacting = Agent(model, capabilities=[OpenAICompaction(message_count_threshold=1)])
    second = await compacting.run(SECOND, message_history=first.all_messages())
    assert second.output == "Its tower."
    parts = [part for message in second.all_messages() for part in message.parts]
    assert "compaction" in [part.part_kind for part in parts]
    assert heard(backend)[-1] == ("user", SECOND)


async def test_an_agent_works_over_a_websocket(
    socket_client: AsyncOpenAI, backend: ScriptedBackend
) -> None:
    backend.script(ADDS, SUM)
    provider = OpenAIProvider(openai_client=socket_client)
    model = OpenAIResponsesModel(MODEL, provider=provider)
    settings = OpenAIResponsesModelSettings(openai_transport="websocket")
    result = await Agent(model, tools=[add], model_settings=settings).run(HOW_MUCH)
    assert result.output == "It is 42."
    assert said_in(backend.requests[1])[-1] == ("function_call_output", "42")
