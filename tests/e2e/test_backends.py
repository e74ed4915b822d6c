"""Two backends behind one API: one speaks Responses, the other chat completions only."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from openai import AsyncOpenAI, NotFoundError

from e2e.rig.stack import Stack
from e2e.rig.two_backends import Both
from scripted_backend import calls, overflows, says, thinks

TOOL: dict[str, Any] = {
    "type": "function",
    "name": "add",
    "parameters": {"type": "object", "properties": {}},
    "strict": False,
}


@pytest.fixture
async def client(two: Stack) -> AsyncGenerator[AsyncOpenAI]:
    """OpenAI's SDK on that stack."""
    async with AsyncOpenAI(base_url=two.url, api_key=two.key, max_retries=0) as opened:
        yield opened


@pytest.mark.usefixtures("both")
async def test_the_models_of_both_stand_in_one_list(client: AsyncOpenAI) -> None:
    assert [model.id async for model in client.models.list()] == ["alpha", "beta"]


async def test_each_model_is_asked_where_it_is_in_the_words_of_its_server(
    client: AsyncOpenAI, both: Both
) -> None:
    for backend, model in zip(both, ("alpha", "beta-large"), strict=True):
        backend.script(says("Hel", "lo"))
        response = await client.responses.create(model=model, input="Hi.", instructions="Be kind.")
        assert response.output_text == "Hello"
    assert both[0].requests[0].body["instructions"] == "Be kind."
    assert both[1].requests[0].body["messages"] == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hi."},
    ]


async def test_a_model_that_nobody_serves_is_not_found(client: AsyncOpenAI, both: Both) -> None:
    with pytest.raises(NotFoundError, match="There are: alpha, beta") as raised:
        await client.responses.create(model="gamma", input="Hi.")
    assert (raised.value.code, raised.value.param) == ("model_not_found", "model")
    assert not any(backend.requests for backend in both)


async def test_a_conversation_with_tools_runs_over_chat_completions(
    client: AsyncOpenAI, both: Both
) -> None:
    chat = both[1]
    chat.script(thinks("hm") + says("Let me see.") + calls("add", {"a": 1}), says("It is ", "3."))
    async with client.responses.stream(
        model="beta",
        input="What is it?",
        tools=[TOOL],  # pyright: ignore[reportArgumentType] -- as JSON
    ) as stream:
        kinds = [event.type async for event in stream]
        first = await stream.get_final_response()
    assert [item.type for item in first.output] == ["reasoning", "message", "function_call"]
    assert "response.reasoning_text.delta" in kinds
    assert "response.function_call_arguments.delta" in kinds
    call = first.output[2]
    assert call.type == "function_call"
    second = await client.responses.create(
        model="beta",
        previous_response_id=first.id,
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "3"}],
    )
    assert second.output_text == "It is 3."
    told = chat.requests[1].body["messages"]
    assert [message["role"] for message in told] == ["user", "assistant", "tool"]
    assert told[1]["content"] == "Let me see."
    assert told[1]["tool_calls"][0]["id"] == told[2]["tool_call_id"] == call.call_id


@pytest.mark.parametrize(("index", "model"), [(0, "alpha"), (1, "beta")])
async def test_log_probabilities_come_over_either_api(
    client: AsyncOpenAI, both: Both, index: int, model: str
) -> None:
    both[index].script(says("Hel", "lo"))
    response = await client.responses.create(
        model=model, input="Hi.", include=["message.output_text.logprobs"]
    )
    (message,) = response.output
    assert message.type == "message"
    (part,) = message.content
    assert part.type == "output_text"
    assert [each.token for each in part.logprobs or []] == ["Hel", "lo"]


@pytest.mark.parametrize(("index", "model"), [(0, "alpha"), (1, "beta")])
async def test_a_history_that_is_too_long_loses_its_oldest_turns(
    client: AsyncOpenAI, both: Both, index: int, model: str
) -> None:
    backend = both[index]
    backend.script(says("one"), overflows(), says("two"))
    first = await client.responses.create(model=model, input="question one")
    second = await client.responses.create(
        model=model, input="question two", previous_response_id=first.id, truncation="auto"
    )
    assert second.output_text == "two"
    told = backend.requests[-1].body
    assert "question one" not in str(told)
    assert "question two" in str(told)
    assert "truncation" not in told


@pytest.mark.usefixtures("both")
async def test_tokens_are_estimated_where_nobody_counts_them(client: AsyncOpenAI) -> None:
    counted = await client.responses.input_tokens.count(model="beta", input="12345678")
    assert counted.input_tokens == 2 + 4
    assert counted.object == "response.input_tokens"
