"""A plain response: what goes in, what the backend is asked, what comes back."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from openai import AsyncOpenAI
from openai.types.responses import Response

from e2e.rig.conversation import asks, heard
from e2e.rig.wire import JSON, Api, text_of
from scripted_backend import Dialect, ScriptedBackend, Usage, calls, says, thinks
from turnwire_testing.open_responses import problems_of_response

TOOL: JSON = {
    "type": "function",
    "name": "add",
    "description": "Adds.",
    "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}},
    "strict": True,
}
FORWARDED: JSON = {
    "temperature": 0.5,
    "top_p": 0.25,
    "presence_penalty": 0.5,
    "frequency_penalty": -0.5,
    "top_logprobs": 3,
    "max_output_tokens": 99,
    "parallel_tool_calls": False,
    "tool_choice": {"type": "function", "name": "add"},
    "tools": [TOOL],
    "text": {"format": {"type": "json_object"}, "verbosity": "low"},
    "reasoning": {"effort": "low", "summary": "auto"},
    "user": "ada",
    "safety_identifier": "ada-1",
    "prompt_cache_key": "key-1",
}
"""Fields that the backend gets and the response echoes, as the client gave them."""

KEPT: JSON = {"metadata": {"color": "red"}, "max_tool_calls": 5, "truncation": "auto"}
"""Fields that the response echoes and the backend never sees."""


async def test_a_text_is_one_message_of_the_user(api: Api, backend: ScriptedBackend) -> None:
    backend.script(says("Hel", "lo."))
    status, response = await api.post(asks("Hi."))
    assert (status, text_of(response)) == (200, "Hello.")
    assert heard(backend) == [("user", "Hi.")]


async def test_items_come_in_every_form_that_clients_use(
    api: Api, backend: ScriptedBackend
) -> None:
    items: list[JSON] = [
        {"role": "system", "content": "Be kind."},
        {"type": "message", "role": "developer", "content": "Be short."},
        {"role": "user", "content": [{"type": "input_text", "text": "Hi."}]},
        {
            "type": "message",
            "role": "assistant",
            "id": "msg_elsewhere",
            "content": [{"type": "output_text", "text": "Hello.", "annotations": []}],
        },
        {"type": "message", "role": "user", "content": "Bye.", "status": None},
    ]
    status, _ = await api.post(asks(items))
    assert status == 200
    assert heard(backend) == [
        ("system", "Be kind."),
        ("developer", "Be short."),
        ("user", "Hi."),
        ("assistant", "Hello."),
        ("user", "Bye."),
    ]


async def test_a_response_is_one_for_openai_and_for_open_responses(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(thinks("hm") + says("Hello.") + calls("add", {"a": 1}))
    status, response = await api.post(asks("Hi.", tools=[TOOL]))
    assert status == 200
    assert problems_of_response(response) == []
    parsed = Response.model_validate(response, strict=True)
    assert [item.type for item in parsed.output] == ["reasoning", "message", "function_call"]
    assert parsed.status == "completed"
    assert parsed.created_at <= (parsed.completed_at or 0)


async def test_what_was_not_said_is_echoed_as_its_default(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("Hello."))
    _, response = await api.post(asks("Hi."))
    assert response.items() >= {"temperature": 1.0, "top_p": 1.0, "truncation": "disabled"}.items()
    assert response.items() >= {"store": True, "background": False, "metadata": {}}.items()
    assert response["error"] is response["incomplete_details"] is None


@pytest.mark.parametrize("field", [*FORWARDED, *KEPT])
async def test_a_field_is_echoed_as_it_was_given(
    api: Api, backend: ScriptedBackend, field: str
) -> None:
    given = (FORWARDED | KEPT)[field]
    backend.script(says("Hello."))
    # A choice must be among the tools.
    _, response = await api.post(asks("Hi.", **{"tools": [TOOL], field: given}))
    assert response[field] == given


async def test_sampling_fields_reach_the_backend_and_state_does_not(
    api: Api, backend: ScriptedBackend
) -> None:
    state: JSON = {"store": True, "stream": False, "stream_options": {"include_obfuscation": False}}
    await api.post(asks("Hi.", **FORWARDED, **KEPT, **state))
    asked = dict(backend.requests[-1].body)
    assert {name: asked.pop(name) for name in FORWARDED} == FORWARDED
    del asked["input"]
    assert asked == {"model": "mock-model", "stream": True, "store": False}


async def test_the_service_tier_is_the_one_that_the_backend_says(
    api: Api, backend: ScriptedBackend
) -> None:
    _, response = await api.post(asks("Hi.", service_tier="flex"))
    assert backend.requests[-1].body["service_tier"] == "flex"
    assert response["service_tier"] == "default"


async def test_unknown_fields_and_nulls_do_no_harm(api: Api, backend: ScriptedBackend) -> None:
    nulls: dict[str, Any] = dict.fromkeys(["instructions", "metadata", "tools", "temperature"])
    status, response = await api.post(asks("Hi.", **nulls, client_metadata={"a": 1}, include=None))
    assert status == 200
    assert (response["metadata"], response["tools"], response["temperature"]) == ({}, [], 1.0)
    assert set(backend.requests[-1].body) == {"model", "input", "stream", "store"}


async def test_tokens_are_counted_as_the_backend_counts_them(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("Hello.").using(Usage(11, 7, cached_tokens=5, reasoning_tokens=3)))
    _, response = await api.post(asks("Hi."))
    assert response["usage"] == {
        "input_tokens": 11,
        "input_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 0},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 3},
        "total_tokens": 18,
    }


@pytest.mark.parametrize("dialect", ["openai", "vllm", "llamacpp", "ollama"])
async def test_an_answer_cut_by_max_output_tokens_is_incomplete(
    api: Api, backend: ScriptedBackend, dialect: Dialect
) -> None:
    cut = says("Hel").incomplete().using(Usage(9, 1)).speaking(dialect)
    backend.script(cut)
    status, response = await api.post(asks("Hi.", max_output_tokens=1))
    assert (status, response["status"]) == (200, "incomplete")
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert (text_of(response), response["completed_at"]) == ("Hel", None)


async def test_a_function_call_is_answered_in_the_next_turn(
    client: AsyncOpenAI, backend: ScriptedBackend
) -> None:
    backend.script(calls("add", {"a": 1}), says("It is 2."))
    tools: Any = [TOOL]
    first = await client.responses.create(model="mock-model", input="1 + 1?", tools=tools)
    (call,) = first.output
    assert call.type == "function_call"
    assert call.arguments == '{"a":1}'
    output: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "2"}
    second = await client.responses.create(
        model="mock-model", input=[output], tools=tools, previous_response_id=first.id
    )
    assert second.output_text == "It is 2."
    asked = backend.requests[1].body["input"]
    assert [item["type"] for item in asked] == ["message", "function_call", "function_call_output"]
    assert asked[1]["call_id"] == asked[2]["call_id"] == call.call_id


async def test_clients_that_ask_at_once_get_their_own_answers(
    client: AsyncOpenAI, backend: ScriptedBackend
) -> None:
    names = ["Ada", "Bob", "Cyd", "Dan", "Eve", "Fay", "Gus", "Hal"]
    for name in names:
        backend.script(says(f"Hello {name}."), when=_mentions(name))
    asked = [client.responses.create(model="mock-model", input=f"I am {name}.") for name in names]
    answers = await asyncio.gather(*asked)
    assert [answer.output_text for answer in answers] == [f"Hello {name}." for name in names]
    assert len({answer.id for answer in answers}) == len(names)


async def test_a_request_keeps_the_id_that_its_client_gave_it(
    client: AsyncOpenAI, backend: ScriptedBackend
) -> None:
    backend.script(says("Hello."), says("Hello."))
    named = await client.responses.with_raw_response.create(
        model="mock-model", input="Hi.", extra_headers={"x-request-id": "mine-1"}
    )
    unnamed = await client.responses.with_raw_response.create(model="mock-model", input="Hi.")
    assert named.request_id == "mine-1"
    assert (unnamed.request_id or "").startswith("req_")


async def test_the_models_are_those_of_the_backend(
    client: AsyncOpenAI, backend: ScriptedBackend
) -> None:
    assert backend.in_flight == 0
    models = [model.id async for model in client.models.list()]
    assert "mock-model" in models


def _mentions(name: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda body: name in str(body["input"])
