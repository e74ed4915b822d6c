"""The chat completion that a backend is asked for: every field in its words."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts.json_values import JSON
from turnwire_orchestrator.prompting.dialect import Dialect
from turnwire_testing.prompts import CUSTOM, FUNCTION, OTHER, SEARCH, as_chat, prompt

ADD = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
SUB = {"type": "function", "function": {"name": "sub", "parameters": {"type": "object"}}}
BOTH = [FUNCTION, OTHER]


def body(params: JSON, dialect: Dialect = Dialect.PLAIN) -> JSON:
    """Give the body as the backend reads it."""
    return as_chat(prompt(params), dialect)


@given(st.sampled_from(Dialect))
def test_a_completion_is_always_streamed_with_its_usage(dialect: Dialect) -> None:
    assert body({"truncation": "auto", "metadata": {"a": "b"}, "store": True}, dialect) == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hello?"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


SAME: JSON = {
    "temperature": 0.5,
    "top_p": 0.9,
    "presence_penalty": 0.1,
    "frequency_penalty": 0.2,
    "service_tier": "flex",
    "user": "u",
    "safety_identifier": "s",
    "prompt_cache_key": "k",
    "stop": ["x"],
    "seed": 1,
    "top_k": 5,
    "min_p": 0.1,
    "repetition_penalty": 1.1,
    "logit_bias": {"1": 2},
    "chat_template_kwargs": {"enable_thinking": False},
}


def test_fields_with_the_same_name_go_through() -> None:
    told = body(SAME)
    assert {name: told.get(name) for name in SAME} == SAME


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"max_output_tokens": 10}, {"max_tokens": 10}),
        ({"reasoning": {"effort": "low", "summary": "auto"}}, {"reasoning_effort": "low"}),
        ({"reasoning": {"summary": "auto"}}, {}),
        ({"text": {"verbosity": "low"}}, {"verbosity": "low"}),
        ({"text": {"format": {"type": "text"}}}, {}),
        (
            {"text": {"format": {"type": "json_object"}}},
            {"response_format": {"type": "json_object"}},
        ),
        (
            {
                "text": {
                    "format": {
                        "type": "json_schema",
                        "name": "n",
                        "schema": {"type": "object"},
                        "strict": True,
                        "description": None,
                    }
                }
            },
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True},
                }
            },
        ),
        ({"top_logprobs": 2}, {"logprobs": True, "top_logprobs": 2}),
        ({"top_logprobs": 0}, {}),
        ({"include": ["message.output_text.logprobs"]}, {"logprobs": True}),
        ({"include": ["reasoning.encrypted_content"]}, {}),
        ({"parallel_tool_calls": False}, {}),
    ],
)
def test_a_field_is_told_like_this(params: JSON, told: JSON) -> None:
    plain = body({})
    assert {name: value for name, value in body(params).items() if name not in plain} == told


def test_openai_alone_calls_the_limit_by_its_newer_name() -> None:
    assert body({"max_output_tokens": 10}, Dialect.OPENAI)["max_completion_tokens"] == 10


def test_tools_are_nested_and_those_of_other_types_left_out() -> None:
    told = body({"tools": [{**FUNCTION, "description": None}, SEARCH], "parallel_tool_calls": True})
    assert (told["tools"], told["parallel_tool_calls"]) == ([ADD], True)
    assert "tools" not in body({"tools": [SEARCH], "tool_choice": "required"})
    assert "tool_choice" not in body({"tools": [SEARCH], "tool_choice": "required"})


def test_a_custom_tool_is_a_function_that_takes_a_text() -> None:
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: /a+/"}
    (tool,) = body({"tools": [{**CUSTOM, "format": grammar}]})["tools"]
    function = tool["function"]
    assert function["name"] == "patch"
    assert list(function["parameters"]["properties"]) == ["input"]
    assert function["description"].startswith("Change a file.")
    assert "start: /a+/" in function["description"]


def named(name: str, kind: str = "function") -> JSON:
    """The choice of one tool."""
    return {"type": kind, "name": name}


def allowed(mode: str, *names: str) -> JSON:
    """The choice among some tools."""
    return {"type": "allowed_tools", "mode": mode, "tools": [named(name) for name in names]}


ONLY_ADD = {"type": "function", "function": {"name": "add"}}


@pytest.mark.parametrize(
    ("choice", "dialect", "tools", "told"),
    [
        (None, Dialect.PLAIN, [ADD, SUB], None),
        ("auto", Dialect.PLAIN, [ADD, SUB], "auto"),
        ("required", Dialect.LLAMA_CPP, [ADD, SUB], "required"),
        ("none", Dialect.PLAIN, [ADD, SUB], "none"),
        ("none", Dialect.LLAMA_CPP, None, None),
        (named("add"), Dialect.PLAIN, [ADD, SUB], ONLY_ADD),
        (named("add", "custom"), Dialect.PLAIN, [ADD, SUB], ONLY_ADD),
        (named("add"), Dialect.LLAMA_CPP, [ADD], "required"),
        (named("add"), Dialect.OLLAMA, [ADD], "required"),
        (allowed("auto", "sub"), Dialect.PLAIN, [SUB], "auto"),
        (allowed("required", "add", "sub"), Dialect.PLAIN, [ADD, SUB], "required"),
        (allowed("required", "nothing"), Dialect.PLAIN, None, None),
        ({"type": "web_search"}, Dialect.PLAIN, [ADD, SUB], None),
        ({"type": "mcp", "server_label": "s"}, Dialect.LLAMA_CPP, [ADD, SUB], None),
    ],
)
def test_a_choice_is_told_like_this(
    choice: Any, dialect: Dialect, tools: list[JSON] | None, told: Any
) -> None:
    sent = body({"tools": BOTH, "tool_choice": choice}, dialect)
    assert (sent.get("tools"), sent.get("tool_choice")) == (tools, told)
