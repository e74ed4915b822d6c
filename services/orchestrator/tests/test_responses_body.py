"""The Responses request to a backend: the whole history, streamed, and nothing of our state."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts.events import Item
from turnwire_contracts.json_values import JSON
from turnwire_orchestrator.prompting.dialect import Dialect
from turnwire_testing.examples import OTHER_ID
from turnwire_testing.prompts import CUSTOM, FUNCTION, OTHER, SEARCH, as_response, prompt

HELLO = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello?"}]}
CHOSEN = {"type": "function", "name": "add"}

dialects = st.sampled_from(Dialect)


def body(params: JSON, dialect: Dialect = Dialect.PLAIN, instructions: str | None = None) -> JSON:
    """Give the body as the backend reads it."""
    return as_response(prompt(params, instructions), dialect)


@given(dialects)
def test_a_backend_is_always_asked_to_stream_and_never_to_store(dialect: Dialect) -> None:
    told = as_response(prompt({}, store=True, stream=False), dialect)
    assert told == {"model": "m", "stream": True, "store": False, "input": [HELLO]}


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
        "truncation": "auto",
        "client_metadata": {"x": 1},
        "modify_request": True,
    }
    told = as_response(prompt(ours, previous_response_id=OTHER_ID), dialect)
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


def test_llama_cpp_is_not_asked_for_log_probabilities_which_it_refuses() -> None:
    wanted = ["message.output_text.logprobs", "reasoning.encrypted_content"]
    told = body({"top_logprobs": 2, "include": wanted}, Dialect.LLAMA_CPP)
    assert told["include"] == ["reasoning.encrypted_content"]
    assert "top_logprobs" not in told
    assert "include" not in body({"include": wanted[:1]}, Dialect.LLAMA_CPP)


def test_tools_are_sent_without_members_that_are_null() -> None:
    tools = [{**FUNCTION, "description": None, "strict": None}, SEARCH]
    assert body({"tools": tools})["tools"] == [FUNCTION, SEARCH]


def test_llama_cpp_gets_function_tools_only() -> None:
    told = body({"tools": [FUNCTION, SEARCH], "tool_choice": "auto"}, Dialect.LLAMA_CPP)
    assert (told["tools"], told["tool_choice"]) == ([FUNCTION], "auto")
    assert "tools" not in body({"tools": [SEARCH]}, Dialect.LLAMA_CPP)


def test_llama_cpp_gets_a_custom_tool_as_a_function() -> None:
    (tool,) = body({"tools": [CUSTOM]}, Dialect.LLAMA_CPP)["tools"]
    assert (tool["type"], tool["name"]) == ("function", "patch")
    assert body({"tools": [CUSTOM]})["tools"] == [CUSTOM]


@pytest.mark.parametrize(("dialect", "kept"), [(Dialect.PLAIN, True), (Dialect.LLAMA_CPP, False)])
def test_tools_that_may_not_be_called_are_hidden_from_llama_cpp(
    *, dialect: Dialect, kept: bool
) -> None:
    assert ("tools" in body({"tools": [FUNCTION], "tool_choice": "none"}, dialect)) == kept


def test_llama_cpp_is_made_to_call_a_certain_tool_by_having_no_other() -> None:
    params = {"tools": [FUNCTION, OTHER], "tool_choice": CHOSEN}
    told = body(params, Dialect.LLAMA_CPP)
    assert (told["tools"], told["tool_choice"]) == ([FUNCTION], "required")
    assert body(params)["tool_choice"] == CHOSEN


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


ODD: list[Item] = [
    {"type": "compaction", "encrypted_content": "theirs"},
    {"type": "compaction_trigger"},
    {"type": "configuration_update", "reasoning": {"effort": "low"}},
    {"type": "additional_tools", "role": "developer", "tools": []},
    {"type": "web_search_call", "id": "ws_1"},
]


@pytest.mark.parametrize("item", ODD, ids=lambda item: item["type"])
def test_an_item_that_llama_cpp_refuses_is_left_out_for_it_and_for_no_other(item: Item) -> None:
    asked = prompt(input=[item, {"type": "message", "role": "user", "content": "Hello?"}])
    assert as_response(asked, Dialect.LLAMA_CPP)["input"] == [HELLO]
    assert as_response(asked)["input"] == [item, HELLO]


def test_llama_cpp_reads_a_custom_call_as_the_function_call_that_it_was() -> None:
    asked = prompt(
        input=[
            {"type": "custom_tool_call", "call_id": "c", "name": "patch", "input": "a\n"},
            {"type": "custom_tool_call_output", "call_id": "c", "output": "done"},
        ]
    )
    assert as_response(asked, Dialect.LLAMA_CPP)["input"] == [
        {"type": "function_call", "call_id": "c", "name": "patch", "arguments": '{"input":"a\\n"}'},
        {"type": "function_call_output", "call_id": "c", "output": "done"},
    ]
