"""OpenAI's Python SDK: turns, streams, types, tools and chains."""

import asyncio
import json

import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.responses import (
    FunctionToolParam,
    Response,
)
from pydantic import BaseModel

from clients.rig.questions import (
    ADDS,
    AGES,
    ANSWERS_CITY,
    CITY,
    FIRST,
    HOW_MUCH,
    PARIS,
    SECOND,
    SUM,
    THIRD,
    TOWER,
)
from e2e.rig.conversation import MODEL, heard, said_in
from e2e.rig.stack import Stack
from scripted_backend import ScriptedBackend, says

pytestmark = pytest.mark.clients

ADD = FunctionToolParam(
    type="function",
    name="add",
    description="Add two numbers.",
    strict=True,
    parameters={
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
        "additionalProperties": False,
    },
)


class City(BaseModel):
    """What the model is to answer with."""

    name: str
    people: int


async def test_an_answer_comes_whole(stack: Stack, backend: ScriptedBackend) -> None:
    backend.script(PARIS)

    def ask() -> Response:
        with OpenAI(base_url=stack.url, api_key=stack.key, max_retries=0) as client:
            return client.responses.create(
                model=MODEL, input=FIRST, instructions="Be brief.", metadata={"of": "a test"}
            )

    response = await asyncio.to_thread(ask)
    assert (response.status, response.output_text) == ("completed", "Paris.")
    assert (response.instructions, response.metadata) == ("Be brief.", {"of": "a test"})
    assert response.usage is not None
    assert response.usage.total_tokens == 15
    assert response.usage.input_tokens_details.cached_tokens == 2
    assert response.usage.output_tokens_details.reasoning_tokens == 1
    assert heard(backend) == [("user", FIRST)]


async def test_an_answer_comes_to_the_asynchronous_client(
    openai_client: AsyncOpenAI, backend: ScriptedBackend
) -> None:
    backend.script(PARIS)
    response = await openai_client.responses.create(
        model=MODEL, input=[{"role": "user", "content": FIRST}]
    )
    assert (response.status, response.output_text) == ("completed", "Paris.")
    assert heard(backend) == [("user", FIRST)]


async def test_an_answer_comes_in_events(
    openai_client: AsyncOpenAI, backend: ScriptedBackend
) -> None:
    backend.script(PARIS)
    async with openai_client.responses.stream(model=MODEL, input=FIRST) as stream:
        events = [event async for event in stream]
        response = await stream.get_final_response()
    assert [event.type for event in events] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert (response.output_text, response.status) == ("Paris.", "completed")
    assert response.usage is not None
    assert response.usage.total_tokens == 15


async def test_an_answer_is_parsed_into_a_model(
    openai_client: AsyncOpenAI, backend: ScriptedBackend
) -> None:
    backend.script(ANSWERS_CITY, ANSWERS_CITY)
    whole = await openai_client.responses.parse(model=MODEL, input=FIRST, text_format=City)
    async with openai_client.responses.stream(model=MODEL, input=FIRST, text_format=City) as stream:
        streamed = await stream.get_final_response()
    assert whole.output_parsed == streamed.output_parsed == City.model_validate(CITY)
    for request in backend.requests:
        wished = request.body["text"]["format"]
        assert (wished["type"], wished["name"], wished["strict"]) == ("json_schema", "City", True)
        assert set(wished["schema"]["properties"]) == {"name", "people"}


async def test_a_function_is_called_and_its_result_used(
    openai_client: AsyncOpenAI, backend: ScriptedBackend
) -> None:
    backend.script(ADDS, SUM)
    asked = await openai_client.responses.create(model=MODEL, input=HOW_MUCH, tools=[ADD])
    (call,) = asked.output
    assert call.type == "function_call"
    assert (call.name, json.loads(call.arguments)) == ("add", {"a": 19, "b": 23})
    answered = await openai_client.responses.create(
        model=MODEL,
        previous_response_id=asked.id,
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "42"}],
        tools=[ADD],
    )
    assert answered.output_text == "It is 42."
    assert heard(backend) == [
        ("user", HOW_MUCH),
        ("function_call", ""),
        ("function_call_output", "42"),
    ]
    assert backend.requests[1].body["input"][1]["call_id"] == call.call_id


async def test_a_function_is_called_in_a_stream(
    openai_client: AsyncOpenAI, backend: ScriptedBackend
) -> None:
    backend.script(ADDS)
    async with openai_client.responses.stream(
        model=MODEL, input=HOW_MUCH, tools=[ADD], tool_choice="required"
    ) as stream:
        events = [event async for event in stream]
        (call,) = (await stream.get_final_response()).output
    deltas = [
        event.delta for event in events if event.type == "response.function_call_arguments.delta"
    ]
    assert call.type == "function_call"
    assert len(deltas) == 2
    assert json.loads("".join(deltas)) == json.loads(call.arguments) == {"a": 19, "b": 23}
    assert backend.requests[0].body["tool_choice"] == "required"


async def test_a_turn_continues_any_earlier_one(
    openai_client: AsyncOpenAI, backend: ScriptedBackend
) -> None:
    backend.script(PARIS, TOWER, AGES, says("Its river."))
    create = openai_client.responses.create
    first = await create(model=MODEL, input=FIRST, instructions="Be brief.")
    second = await create(model=MODEL, input=SECOND, previous_response_id=first.id)
    third = await create(model=MODEL, input=THIRD, previous_response_id=second.id)
    branch = await create(model=MODEL, input=SECOND, previous_response_id=first.id)
    start = [("user", FIRST), ("assistant", "Paris."), ("user", SECOND)]
    assert said_in(backend.requests[2]) == [*start, ("assistant", "Its tower."), ("user", THIRD)]
    assert said_in(backend.requests[3]) == start
    assert third.previous_response_id == second.id
    assert len({first.id, second.id, third.id, branch.id}) == 4
