"""The request to a backend: the whole history, streamed, and nothing of our state."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts.json_values import JSON
from turnwire_orchestrator.prompting.backend_request import Dialect, backend_body
from turnwire_testing.examples import OTHER_ID, requested

FUNCTION = {"type": "function", "name": "add", "parameters": {"type": "object"}}
SEARCH = {"type": "web_search"}

dialects = st.sampled_from(Dialect)


def body(
    params: JSON, dialect: Dialect = Dialect.PLAIN, instructions: str | None = None, **more: Any
) -> JSON:
    """Give the body as the backend reads it."""
    request = requested(params=params, **more)
    return orjson.loads(backend_body(request, b'[{"type":"message"}]', instructions, dialect))


@given(dialects)
def test_a_backend_is_always_asked_to_stream_and_never_to_store(dialect: Dialect) -> None:
    told = body({}, dialect, store=True, stream=False)
    assert told == {
        "model": "m",
        "stream": True,
        "store": False,
        "input": [{"type": "message"}],
    }


@given(dialects)
def test_state_and_what_is_ours_never_reaches_the_backend(dialect: Dialect) -> None:
    ours: JSON = {
        "metadata": {"a": "b"},
        "max_tool_calls": 3,
        "background": False,
        "stream_options": {"include_obfuscation": True},
        "prompt": {"id": "p"},
        "conversation": "conv_1",
        "previous_response_id": OTHER_ID,
        "store": True,
        "client_metadata": {"x": 1},
        "modify_request": True,
    }
    told = body(ours, dialect, previous_response_id=OTHER_ID)
    assert set(told) == {"model", "stream", "store", "input"}
    assert told["store"] is False


FORWARDED: JSON = {
    "temperature": 0.5,
    "top_p": 0.9,
    "presence_penalty": 0.1,
    "frequency_penalty": 0.2,
    "max_output_tokens": 10,
    "parallel_tool_calls": False,
    "reasoning": {"effort": "low"},
    "text": {"verbosity": "low"},
    "top_logprobs": 2,
    "truncation": "auto",
    "service_tier": "flex",
    "user": "u",
    "safety_identifier": "s",
    "prompt_cache_key": "k",
    "stop": ["x"],
    "seed": 1,
}


def test_what_steers_the_model_reaches_the_backend_as_it_was_given() -> None:
    told = body(FORWARDED)
    assert {name: told.get(name) for name in FORWARDED} == FORWARDED


@pytest.mark.parametrize(("told", "sent"), [(None, False), ("", False), ("Be brief.", True)])
def test_instructions_are_sent_where_there_are_any(*, told: str | None, sent: bool) -> None:
    assert ("instructions" in body({}, instructions=told)) == sent


def test_only_those_includes_are_asked_for_that_a_backend_can_give() -> None:
    wanted = ["file_search_call.results", "reasoning.encrypted_content"]
    assert body({"include": wanted})["include"] == ["reasoning.encrypted_content"]
    assert "include" not in body({"include": ["file_search_call.results"]})
    assert "include" not in body({"include": []})


def test_tools_are_sent_without_members_that_are_null() -> None:
    tools = [{**FUNCTION, "description": None, "strict": None}, SEARCH]
    assert body({"tools": tools})["tools"] == [FUNCTION, SEARCH]


def test_llama_cpp_gets_function_tools_only() -> None:
    told = body({"tools": [FUNCTION, SEARCH], "tool_choice": "auto"}, Dialect.LLAMA_CPP)
    assert (told["tools"], told["tool_choice"]) == ([FUNCTION], "auto")
    assert "tools" not in body({"tools": [SEARCH]}, Dialect.LLAMA_CPP)


@pytest.mark.parametrize(("dialect", "kept"), [(Dialect.PLAIN, True), (Dialect.LLAMA_CPP, False)])
def test_tools_that_may_not_be_called_are_hidden_from_llama_cpp(
    *, dialect: Dialect, kept: bool
) -> None:
    assert ("tools" in body({"tools": [FUNCTION], "tool_choice": "none"}, dialect)) == kept


@given(dialects)
def test_a_choice_without_tools_is_not_sent(dialect: Dialect) -> None:
    assert "tool_choice" not in body({"tool_choice": "auto"}, dialect)
    assert "tool_choice" not in body({"tools": [], "tool_choice": "auto"}, dialect)


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (
            {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True},
            {
                "type": "json_schema",
                "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True},
            },
        ),
        ({"type": "json_object"}, {"type": "json_object"}),
        ({"type": "text"}, None),
        (None, None),
    ],
)
def test_llama_cpp_hears_a_structured_output_as_chat_completions_say_it(
    wanted: JSON | None, told: JSON | None
) -> None:
    params = {"text": {"format": wanted}}
    assert body(params, Dialect.LLAMA_CPP).get("response_format") == told
    assert "response_format" not in body(params, Dialect.PLAIN)
