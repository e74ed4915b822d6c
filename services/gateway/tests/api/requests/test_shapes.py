"""Shapes of chat completions are written flat; what cannot be is refused with its exact place."""

from typing import Any

import pytest

from turnwire_contracts.json_values import JSON
from turnwire_testing.create_requests import refused, taken
from turnwire_testing.examples import OTHER_ID, user

SCHEMA: JSON = {"type": "object", "properties": {"a": {"type": "integer"}}}
FLAT: JSON = {"type": "function", "name": "f", "description": "d", "parameters": SCHEMA}
NESTED: JSON = {
    "type": "function",
    "function": {"name": "f", "description": "d", "parameters": SCHEMA},
}
LOGPROBS = "message.output_text.logprobs"
FORMAT: JSON = {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}


@pytest.mark.parametrize(
    ("tool", "flat"),
    [
        (NESTED, FLAT),
        (FLAT, FLAT),
        ({**NESTED, "name": None}, FLAT),
        ({"type": "function", "function": {"name": "f", "strict": None}},
         {"type": "function", "name": "f"}),
        ({"type": "function", "function": {"name": "f", "strict": True}, "cache_control": {}},
         {"type": "function", "name": "f", "strict": True, "cache_control": {}}),
        ({"type": "custom", "custom": {"name": "c", "format": {
            "type": "grammar", "grammar": {"syntax": "lark", "definition": "x"}}}},
         {"type": "custom", "name": "c", "format": {
             "type": "grammar", "syntax": "lark", "definition": "x"}}),
        ({"type": "namespace", "name": "s", "tools": [NESTED]},
         {"type": "namespace", "name": "s", "tools": [FLAT]}),
        ({"type": "namespace", "name": "my server", "tools": [{**FLAT, "name": "a/b c"}]},
         {"type": "namespace", "name": "my server", "tools": [{**FLAT, "name": "a/b c"}]}),
        ({"type": "web_search", "function": {"x": 1}},) * 2,
    ],
)  # fmt: skip
def test_a_tool_is_kept_flat(tool: JSON, flat: JSON) -> None:
    assert taken(tools=[tool]).params["tools"] == [flat]


WRONG_TOOLS: list[tuple[Any, str]] = [
    ([{"type": "function"}], "tools[0].name"),
    ([{"type": "function", "name": ""}], "tools[0].name"),
    ([{"type": "function", "name": 5}], "tools[0].name"),
    ([{"type": "function", "name": None}], "tools[0].name"),
    ([{"type": "function", "name": ["f"]}], "tools[0].name"),
    ([{"type": "function", "name": "get weather"}], "tools[0].name"),
    ([{"type": "function", "name": "f\n"}], "tools[0].name"),
    ([{"type": "function", "name": "wëter"}], "tools[0].name"),
    ([{"type": "function", "name": "f" * 65}], "tools[0].name"),
    ([FLAT, {"type": "function", "function": {"name": "f"}}], "tools[1].function.name"),
    ([FLAT, {**FLAT, "description": "Another."}], "tools[1].name"),
    ([{"type": "custom", "name": "f"}, FLAT], "tools[1].name"),
    ([{"type": "custom", "name": ""}], "tools[0].name"),
    ([{"type": "function", "function": {}}], "tools[0].function.name"),
    ([{"type": "function", "function": {"name": 5}}], "tools[0].function.name"),
    ([{"type": "function", "function": "f"}], "tools[0].function"),
    ([{"type": "function", "function": []}], "tools[0].function"),
    ([FLAT, {**FLAT, "name": "g", "parameters": "{}"}], "tools[1].parameters"),
    ([{**FLAT, "parameters": []}], "tools[0].parameters"),
    ([{**FLAT, "parameters": 5}], "tools[0].parameters"),
    ([{**FLAT, "parameters": True}], "tools[0].parameters"),
    ([{"type": "function", "function": {"name": "f", "parameters": "{}"}}],
     "tools[0].function.parameters"),
    ([{**FLAT, "strict": "yes"}], "tools[0].strict"),
    ([{**FLAT, "strict": 1}], "tools[0].strict"),
    ([{**FLAT, "description": 5}], "tools[0].description"),
    ([{**FLAT, "description": ["d"]}], "tools[0].description"),
    ([{**FLAT, "input_schema": SCHEMA}], "tools[0].input_schema"),
    ([{"type": "custom", "name": "f", "input_schema": SCHEMA}], "tools[0].input_schema"),
    ([{"type": "function", "function": {"name": "f", "inputSchema": SCHEMA}}],
     "tools[0].function.inputSchema"),
    ([{"name": "f", "input_schema": SCHEMA}], "tools[0]"),
    ([{"functionDeclarations": [FLAT]}], "tools[0]"),
    ([{"type": "namespace", "name": "s", "tools": [FLAT]},
      {"type": "namespace", "name": "s", "tools": []}], "tools[1].name"),
    ([{"type": "namespace", "name": "s", "tools": [FLAT, {**FLAT, "description": "Other."}]}],
     "tools[0].tools[1].name"),
    ([{"type": "namespace", "tools": [FLAT]}], "tools[0].name"),
    ([{"type": "namespace", "name": ""}], "tools[0].name"),
    ([{"type": "namespace", "name": "s", "tools": [{"type": ""}]}], "tools[0].tools[0]"),
    ([{"type": "namespace", "name": "s", "tools": {}}], "tools[0].tools"),
    ([{"type": "namespace", "name": "s", "tools": ["f"]}], "tools[0].tools[0]"),
    ([{"type": "namespace", "name": "s", "tools": [{**FLAT, "name": ""}]}],
     "tools[0].tools[0].name"),
    ([{"type": "namespace", "name": "s", "tools": [{**FLAT, "parameters": "{}"}]}],
     "tools[0].tools[0].parameters"),
    ({"name": "f"}, "tools"),
    ("f", "tools"),
    (["f"], "tools[0]"),
    ([{"name": "f"}], "tools[0]"),
]  # fmt: skip


@pytest.mark.parametrize(("tools", "place"), WRONG_TOOLS)
def test_a_wrong_tool_is_refused_with_its_place(tools: Any, place: str) -> None:
    assert refused(tools=tools)[0] == place


@pytest.mark.parametrize(
    ("tools", "once"),
    [
        ([FLAT, FLAT], [FLAT]),
        ([FLAT, NESTED, {**NESTED, "name": None}], [FLAT]),
        ([FLAT, {**FLAT, "name": "g"}, FLAT], [FLAT, {**FLAT, "name": "g"}]),
        ([{"type": "namespace", "name": "s", "tools": [FLAT, NESTED]}] * 2,
         [{"type": "namespace", "name": "s", "tools": [FLAT]}]),
        ([{"type": "namespace", "name": "f", "tools": [FLAT]}, FLAT],) * 2,
    ],
)  # fmt: skip
def test_a_tool_that_is_there_twice_is_read_once(tools: list[JSON], once: list[JSON]) -> None:
    assert taken(tools=tools).params["tools"] == once


CHOSEN: JSON = {"type": "function", "name": "f"}
HOSTED: list[JSON] = [{"type": "web_search_2025_08_26"}, {"type": "hologram"}]
SPACE: JSON = {"type": "namespace", "name": "docs", "tools": [{**FLAT, "name": "search"}]}


@pytest.mark.parametrize(
    ("choice", "flat"),
    [
        ("required", "required"),
        ({"type": "function", "function": {"name": "f"}}, {"type": "function", "name": "f"}),
        ({"type": "function", "name": "f"}, {"type": "function", "name": "f"}),
        ({"type": "function", "name": "search"}, {"type": "function", "name": "search"}),
        ({"type": "function", "name": "search", "namespace": "docs"},) * 2,
        ({"type": "namespace", "name": "docs"},) * 2,
        ({"type": "custom", "custom": {"name": "c"}}, {"type": "custom", "name": "c"}),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [
            {"type": "function", "function": {"name": "f"}}]}},
         {"type": "allowed_tools", "mode": "required", "tools": [CHOSEN]}),
        ({"type": "allowed_tools", "mode": "auto", "tools": [CHOSEN]},) * 2,
        ({"type": "web_search"},) * 2,
        ({"type": "web_search_2025_08_26"},) * 2,
        ({"type": "hologram", "depth": 3},) * 2,
    ],
)  # fmt: skip
def test_a_choice_is_kept_flat(choice: Any, flat: Any) -> None:
    tools = [FLAT, {"type": "custom", "name": "c"}, SPACE, *HOSTED]
    assert taken(tools=tools, tool_choice=choice).params["tool_choice"] == flat


@pytest.mark.parametrize(
    ("choice", "place"),
    [
        ({"type": "function", "name": "g"}, "tool_choice.name"),
        ({"type": "function", "function": {"name": "g"}}, "tool_choice.function.name"),
        ({"type": "function", "function": {}}, "tool_choice.function.name"),
        ({"type": "function", "function": "f"}, "tool_choice.function"),
        ({"type": "function"}, "tool_choice.name"),
        ({"type": "function", "name": 5}, "tool_choice.name"),
        ({"type": "custom", "name": "g"}, "tool_choice.name"),
        ({"type": "function", "name": "f", "namespace": "docs"}, "tool_choice.name"),
        ({"type": "namespace", "name": "crm"}, "tool_choice.name"),
        ({"type": "allowed_tools", "mode": "auto"}, "tool_choice.tools"),
        ({"type": "allowed_tools", "mode": "any", "tools": []}, "tool_choice.mode"),
        ({"type": "allowed_tools", "tools": ["f"]}, "tool_choice.tools[0]"),
        ({"type": "allowed_tools", "tools": [{"type": "function", "name": "f"},
                                             {"type": "function", "name": "g"}]},
         "tool_choice.tools[1].name"),
        ({"type": "allowed_tools", "allowed_tools": {"tools": [
            {"type": "function", "function": {"name": "g"}}]}},
         "tool_choice.allowed_tools.tools[0].function.name"),
        ({"type": "tool", "name": "f"}, "tool_choice.type"),
        ({"type": "any"}, "tool_choice.type"),
        ({"type": "auto"}, "tool_choice.type"),
        ({"type": "none"}, "tool_choice.type"),
        ({"type": "required"}, "tool_choice.type"),
        ({"type": "web_search"}, "tool_choice.type"),
        ({"type": "hologram", "depth": 3}, "tool_choice.type"),
        ({"type": "allowed_tools", "tools": [{"type": "tool", "name": "f"}]},
         "tool_choice.tools[0].type"),
        ({"type": "allowed_tools", "tools": [{"type": "file_search"}]},
         "tool_choice.tools[0].type"),
        ({"name": "f"}, "tool_choice"),
        ({"function": {"name": "f"}}, "tool_choice"),
        ({"type": ["function"], "name": "f"}, "tool_choice"),
        (["f"], "tool_choice"),
        ("f", "tool_choice"),
        ("any", "tool_choice"),
        ({}, "tool_choice"),
        (5, "tool_choice"),
    ],
)  # fmt: skip
def test_a_choice_of_what_is_not_offered_is_refused(choice: Any, place: str) -> None:
    assert refused(tools=[FLAT, SPACE], tool_choice=choice)[0] == place


def test_the_refusal_says_what_is_offered() -> None:
    _, said = refused(tools=[FLAT, SPACE], tool_choice={"type": "function", "name": "g"})
    assert "there are: f, search in docs" in said


@pytest.mark.parametrize("none", [{}, {"tools": []}, {"tools": None}])
def test_a_choice_needs_tools(none: JSON) -> None:
    assert refused(**none, tool_choice="required")[0] == "tool_choice"
    assert refused(**none, tool_choice={"type": "any"})[0] == "tool_choice.type"
    assert refused(**none, tool_choice={"type": "web_search"})[0] == "tool_choice"
    named = {"type": "function", "name": "f"}
    assert refused(**none, tool_choice=named)[0] == "tool_choice.name"
    for word in ("auto", "none"):
        assert taken(**none, tool_choice=word).params["tool_choice"] == word


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{"type": "tool_search"}]},
        {"tools": [{"type": "mcp", "server_label": "s", "server_url": "https://s.example/mcp"}]},
        {"input": [user("a"), {"type": "additional_tools", "role": "developer", "tools": [FLAT]}]},
        {"input": [user("a"), {"type": "tool_search_output", "tools": [FLAT]}]},
    ],
)
def test_tools_may_come_otherwise_than_by_the_request(fields: JSON) -> None:
    for choice in ("required", {"type": "function", "name": "f"}):
        assert taken(**fields, tool_choice=choice).params["tool_choice"] == choice


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"text": {"format": FORMAT}}, {"format": FORMAT}),
        ({"text": {"format": {"type": "json_schema", "json_schema": {
            "name": "n", "schema": SCHEMA, "strict": True}}, "verbosity": "low"}},
         {"format": FORMAT, "verbosity": "low"}),
        ({"response_format": {"type": "json_schema", "json_schema": {
            "name": "n", "schema": SCHEMA, "strict": True, "description": None}}},
         {"format": FORMAT}),
        ({"response_format": FORMAT}, {"format": FORMAT}),
        ({"response_format": {"type": "json_object"}, "text": {"verbosity": "low"}},
         {"format": {"type": "json_object"}, "verbosity": "low"}),
        ({"response_format": {"type": "json_object"}, "text": {"format": FORMAT}},
         {"format": FORMAT}),
        ({"verbosity": "high"}, {"verbosity": "high"}),
        ({"text": {"format": None}}, {}),
        ({"text": {"format": {"type": "text"}}}, {"format": {"type": "text"}}),
    ],
)  # fmt: skip
def test_a_format_is_kept_flat(fields: JSON, text: JSON) -> None:
    params = taken(**fields).params
    assert params == {"text": text}


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"type": "hologram"}, ".type"),
        ({"type": "json"}, ".type"),
        ({"type": "regex", "pattern": "a"}, ".type"),
        ({"type": 5}, ".type"),
        ({"type": None}, ".type"),
        ({}, ".type"),
        ({"type": "json_schema"}, ".name"),
        ({"type": "json_schema", "schema": SCHEMA}, ".name"),
        ({"type": "json_schema", "name": "", "schema": SCHEMA}, ".name"),
        ({"type": "json_schema", "name": 5, "schema": SCHEMA}, ".name"),
        ({"type": "json_schema", "name": "n" * 65, "schema": SCHEMA}, ".name"),
        ({"type": "json_schema", "name": "n"}, ".schema"),
        ({"type": "json_schema", "name": "n", "schema": "{}"}, ".schema"),
        ({"type": "json_schema", "name": "n", "schema": []}, ".schema"),
        ({**FORMAT, "strict": "yes"}, ".strict"),
        ({**FORMAT, "description": 5}, ".description"),
        ({"type": "json_schema", "json_schema": {"schema": SCHEMA}}, ".json_schema.name"),
        ({"type": "json_schema", "json_schema": {"name": "n"}}, ".json_schema.schema"),
        ({"type": "json_schema", "json_schema": "{}"}, ".json_schema"),
        ("json", ""),
        ([], ""),
    ],
)
def test_a_wrong_format_is_refused_with_its_place(given: Any, place: str) -> None:
    assert refused(text={"format": given})[0] == f"text.format{place}"
    assert refused(response_format=given)[0] == f"response_format{place}"


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({"max_tokens": 5}, {"max_output_tokens": 5}),
        ({"max_tokens": -1}, {}),
        ({"max_tokens": 0}, {}),
        ({"max_completion_tokens": 5}, {"max_output_tokens": 5}),
        ({"max_completion_tokens": 5, "max_tokens": 6}, {"max_output_tokens": 5}),
        ({"max_output_tokens": 4, "max_tokens": 6}, {"max_output_tokens": 4}),
        ({"reasoning_effort": "low"}, {"reasoning": {"effort": "low"}}),
        ({"reasoning_effort": "low", "reasoning": {"summary": "auto"}},
         {"reasoning": {"effort": "low", "summary": "auto"}}),
        ({"reasoning_effort": "low", "reasoning": {"effort": "high"}},
         {"reasoning": {"effort": "high"}}),
        ({"functions": [{"name": "f", "parameters": SCHEMA}], "function_call": {"name": "f"}},
         {"tools": [{"type": "function", "name": "f", "parameters": SCHEMA}],
          "tool_choice": {"type": "function", "name": "f"}}),
        ({"functions": [{"name": "f"}], "function_call": "auto"},
         {"tools": [{"type": "function", "name": "f"}], "tool_choice": "auto"}),
        ({"functions": [{"name": "g"}], "tools": [FLAT]}, {"tools": [FLAT]}),
        ({"logprobs": True}, {"include": [LOGPROBS]}),
        ({"logprobs": True, "top_logprobs": 2, "include": ["a", LOGPROBS]},
         {"top_logprobs": 2, "include": ["a", LOGPROBS]}),
        ({"logprobs": True, "include": ["a"]}, {"include": ["a", LOGPROBS]}),
        ({"logprobs": False}, {}),
    ],
)  # fmt: skip
def test_older_fields_are_kept_by_their_newer_names(fields: JSON, kept: JSON) -> None:
    assert taken(**fields).params == kept


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"max_tokens": -2}, "max_tokens"),
        ({"max_tokens": "5"}, "max_tokens"),
        ({"max_completion_tokens": -1}, "max_completion_tokens"),
        ({"reasoning_effort": 5}, "reasoning_effort"),
        ({"reasoning": {"effort": 5}}, "reasoning.effort"),
        ({"reasoning": {"summary": True}}, "reasoning.summary"),
        ({"logprobs": 5}, "logprobs"),
        ({"stop": 5}, "stop"),
        ({"stop": {"a": 1}}, "stop"),
        ({"verbosity": 5}, "verbosity"),
        ({"text": {"verbosity": 5}}, "text.verbosity"),
        ({"functions": [{"name": ""}]}, "functions[0].name"),
        ({"functions": [{"name": "f", "parameters": "{}"}]}, "functions[0].parameters"),
        ({"functions": {}}, "functions"),
        ({"functions": [{"name": "f"}], "function_call": {"name": "g"}}, "function_call.name"),
        ({"function_call": {"name": "g"}}, "function_call.name"),
    ],
)
def test_a_wrong_value_of_an_older_field_is_refused_by_its_own_name(
    fields: JSON, place: str
) -> None:
    assert refused(**fields)[0] == place


@pytest.mark.parametrize(
    ("fields", "place", "instead"),
    [
        ({"messages": [user("a")]}, "messages", "`input`"),
        ({"messages": []}, "messages", "`input`"),
        ({"system": "Be brief."}, "system", "`instructions`"),
        ({"system_instruction": {"parts": []}}, "system_instruction", "`instructions`"),
        ({"stop_sequences": ["a"]}, "stop_sequences", "`stop`"),
        ({"web_search_options": {}}, "web_search_options", "web_search"),
        ({"n": 2}, "n", "one answer"),
        ({"n": "2"}, "n", "one answer"),
        ({"audio": {"voice": "alloy"}}, "audio", "leave it out"),
        ({"modalities": ["text", "audio"]}, "modalities", "leave it out"),
    ],
)
def test_what_is_asked_in_words_of_other_apis_is_refused_and_not_ignored(
    fields: JSON, place: str, instead: str
) -> None:
    for more in ({}, {"input": "a"}, {"input": None, "previous_response_id": OTHER_ID}):
        found, said = refused(**{**more, **fields})
        assert found == place
        assert instead in said


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": None, "system": None, "n": None, "audio": None, "modalities": None},
        {"n": 1},
        {"modalities": ["text"]},
        {"modalities": []},
        {"stream_options": {"include_usage": True}},
        {"prediction": {"type": "content"}, "thinking": {"type": "enabled"}},
        {"extra_headers": {}, "timeout": 3, "litellm_metadata": {}, "cache_control": {}},
        {"stop": "a"},
        {"stop": ["a", "b"]},
        {"stop": []},
    ],
)
def test_what_changes_no_meaning_is_taken(fields: JSON) -> None:
    taken(**fields)


@pytest.mark.parametrize(
    "field", ["conversation", "prompt", "stream_options", "metadata", "text", "reasoning"]
)
def test_what_must_be_an_object_is_said_in_words_of_json(field: str) -> None:
    place, said = refused(**{field: 5})
    assert place == field
    assert "Input should be an object (got an integer: '5')" in said
