"""Two backends behind one API: one speaks Responses, the other chat completions only."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI, NotFoundError

from e2e.rig.stack import Stack
from e2e.rig.two_backends import Both
from e2e.rig.wire import Api, text_of
from scripted_backend import Answer, calls, overflows, says, sends_events, thinks

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


def _called(index: int, arguments: str, name: str | None = None) -> dict[str, Any]:
    call = {"index": index, "function": {"name": name, "arguments": arguments}}
    return {"choices": [{"delta": {"tool_calls": [call | ({"id": "call_0"} if name else {})]}}]}


def _argued(index: int, arguments: str) -> dict[str, Any]:
    kind = "response.function_call_arguments.delta"
    return {"type": kind, "item_id": f"fc_{index}", "output_index": index, "delta": arguments}


def _item(step: str, index: int, **item: Any) -> dict[str, Any]:
    return {"type": f"response.output_item.{step}", "output_index": index, "item": item}


def _call(step: str, index: int, arguments: str) -> dict[str, Any]:
    about = {"type": "function_call", "id": f"fc_{index}", "call_id": "call_0", "name": "add"}
    return _item(step, index, **about, arguments=arguments)


IN_TURNS: dict[str, Answer] = {
    "alpha": sends_events(
        _call("added", 0, ""),
        _call("added", 1, ""),
        _argued(1, '{"n":'),
        _argued(0, '{"n":'),
        _argued(1, "2}"),
        _argued(0, "1}"),
        _call("done", 1, '{"n":2}'),
        _call("done", 0, '{"n":1}'),
        {"type": "response.completed", "response": {"status": "completed", "output": []}},
    ),
    "beta": sends_events(
        _called(0, '{"n":', "add"),
        _called(1, '{"n":', "add"),
        {"choices": [{"delta": {"content": "\n"}}]},
        _called(1, "2}"),
        _called(0, "1}"),
        {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]},
        b"data: [DONE]\n\n",
    ),
}
"""Two calls in turns, under one id, in the words of either API."""


@pytest.mark.parametrize(("index", "model"), [(0, "alpha"), (1, "beta")])
@pytest.mark.parametrize("streams", [True, False], ids=["stream", "plain"])
async def test_calls_in_turns_are_whole_and_are_answered_each(
    client: AsyncOpenAI, both: Both, index: int, model: str, *, streams: bool
) -> None:
    both[index].script(IN_TURNS[model], says("Done."))
    asked: dict[str, Any] = {"model": model, "input": "Add.", "tools": [TOOL]}
    api: Any = client.responses
    if streams:
        async with api.stream(**asked) as stream:
            first: Any = await stream.get_final_response()
    else:
        first = await api.create(**asked)
    told: list[Any] = [item for item in first.output if item.type == "function_call"]
    assert [(call.arguments, call.status) for call in told] == [
        ('{"n":1}', "completed"),
        ('{"n":2}', "completed"),
    ]
    assert len(first.output) == len({call.call_id for call in told}) == 2
    answers: Any = [
        {"type": "function_call_output", "call_id": call.call_id, "output": call.arguments}
        for call in told
    ]
    await client.responses.create(model=model, previous_response_id=first.id, input=answers)
    body = both[index].requests[-1].body
    if model == "beta":
        pairs = [(m["tool_call_id"], m["content"]) for m in body["messages"] if m["role"] == "tool"]
    else:
        outputs = [item for item in body["input"] if item["type"] == "function_call_output"]
        pairs = [(item["call_id"], item["output"]) for item in outputs]
    assert pairs == [(call.call_id, call.arguments) for call in told]


async def test_what_the_late_end_of_a_thought_tells_is_streamed_stored_and_streamed_again(
    client: AsyncOpenAI, both: Both
) -> None:
    thought: dict[str, Any] = {"type": "reasoning", "id": "rs_0", "summary": []}
    delta = {"item_id": "rs_0", "output_index": 0, "content_index": 0, "delta": "hm"}
    word = {"item_id": "msg_1", "output_index": 1, "content_index": 0, "delta": "Hi"}
    both[0].script(
        sends_events(
            _item("added", 0, **thought),
            {"type": "response.reasoning_text.delta", **delta},
            _item("added", 1, type="message", id="msg_1", role="assistant", content=[]),
            {"type": "response.output_text.delta", **word},
            _item("done", 0, **thought, encrypted_content="sealed"),
            {"type": "response.output_text.delta", **word, "delta": "!"},
            {"type": "response.completed", "response": {"status": "completed"}},
        )
    )
    async with client.responses.stream(model="alpha", input="Hi.") as stream:
        live: list[Any] = [event async for event in stream]
        response: Any = await stream.get_final_response()
    assert response.output_text == "Hi!"
    ended = [event.item for event in live if event.type == "response.output_item.done"]
    assert [item.type for item in ended] == ["message", "reasoning"]
    assert ended[1].encrypted_content == response.output[0].encrypted_content == "sealed"
    again = await client.responses.retrieve(response.id, stream=True)
    kinds = [(event.type, event.sequence_number) async for event in again]
    assert kinds == [(event.type, event.sequence_number) for event in live]


async def test_backends_that_the_file_names_now_serve_without_a_restart(
    two: Stack, both_api: Api, both: Both
) -> None:
    file = Path(two.environment["TURNWIRE_BACKENDS"])
    before = await asyncio.to_thread(file.read_text)
    named = before.replace("models: [alpha]", "models: [gamma]")
    await asyncio.to_thread(file.write_text, named)
    try:
        await both_api.until("/models", lambda found: "gamma" in str(found))
        both[0].script(says("Hello."))
        status, response = await both_api.post({"model": "gamma", "input": "Hi."})
        assert (status, text_of(response)) == (200, "Hello.")
        assert (await both_api.post({"model": "alpha", "input": "Hi."}))[0] == 404
        await asyncio.to_thread(file.write_text, before + "  - name: chat\n    url: x\n")
        key = await asyncio.to_thread(
            two.new_key, "--user", "olga", "--role", "operator", tenant="ops"
        )
        operator = both_api.of({"Authorization": f"Bearer {key}"})
        told = await operator.until("/admin/backends", lambda found: bool(found.get("problem")))
        assert "backends.yaml:" in told["problem"]
        shown = {each["name"]: (each["api"], each["models"]) for each in told["data"]}
        assert shown == {
            "responses": ("responses", ["gamma"]),
            "chat": ("chat", ["beta", "beta-*"]),
        }
    finally:
        await asyncio.to_thread(file.write_text, before)
        await both_api.until("/models", lambda found: "alpha" in str(found))
