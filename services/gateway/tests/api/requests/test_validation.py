"""What a client may send: tolerant in form, strict in values, and every refusal names its field."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts.events import Requested
from turnwire_contracts.json_values import JSON
from turnwire_contracts.request_fields import REQUEST_FIELDS
from turnwire_gateway.admission.admission import Origin
from turnwire_gateway.api.request_context import MOST_LEVELS, object_of
from turnwire_gateway.api.requests.prompts import parse_prompts
from turnwire_gateway.api.requests.validation import Rules, requested
from turnwire_gateway.errors import ApiError
from turnwire_testing.examples import AT, OTHER_ID, OWNER, RESPONSE_ID, TENANT, user

ORIGIN = Origin(TENANT, OWNER, "req_1", RESPONSE_ID, AT)
PROMPTS = parse_prompts(
    """
    prompts:
      pmpt_support:
        default: "1"
        versions:
          "1": { instructions: "You help {{ customer }} of {{company}}.", model: small }
          "2": { instructions: "Be brief." }
    """,
    "prompts.yaml",
)
CONVERSATION_ID = "conv_" + "0" * 32
PLAIN: JSON = {"model": "m", "input": "Hello?"}


def accepted(*, screen: bool = False, **fields: Any) -> Requested:
    """Send a request that is taken."""
    given_fields = object_of(orjson.dumps({**PLAIN, **fields}))
    return requested(given_fields, ORIGIN, Rules(screen=screen, prompts=PROMPTS))


def refused(body: bytes) -> tuple[int, str, str | None]:
    """Send a request that is refused; gives status, code and param."""
    with pytest.raises(ApiError) as raised:
        requested(object_of(body), ORIGIN, Rules(screen=False, prompts=PROMPTS))
    failure = raised.value.failure
    assert failure.message
    return failure.http_status, failure.code, failure.param


def test_a_plain_request_becomes_the_event_that_starts_a_turn() -> None:
    assert accepted() == Requested(
        v=1,
        tenant=TENANT,
        response_id=RESPONSE_ID,
        at=AT,
        cause="req_1",
        owner=OWNER,
        model="m",
        input=[user("Hello?")],
    )


def test_every_other_field_is_kept_by_its_name() -> None:
    given_fields: JSON = {"temperature": 0, "metadata": {"a": "b"}, "client_metadata": {"x": [1]}}
    assert accepted(**given_fields).params == given_fields


def test_what_the_event_says_itself_is_not_said_twice() -> None:
    event = accepted(
        stream=True,
        store=False,
        instructions="",
        previous_response_id=OTHER_ID,
        screen=True,
    )
    assert event.params == {}
    assert (event.stream, event.store, event.screen) == (True, False, True)
    assert (event.instructions, event.previous_response_id) == ("", OTHER_ID)


TOLERATED: list[tuple[str, JSON]] = [
    ("messages without type", {"input": [{"role": "user", "content": "a"}]}),
    (
        "content as parts",
        {"input": [{"role": "user", "content": [{"type": "input_text", "text": "a"}]}]},
    ),
    (
        "assistant message with id and no status",
        {"input": [{"type": "message", "id": "msg_1", "role": "assistant", "content": "a"}]},
    ),
    ("unknown parts", {"input": [{"role": "user", "content": [{"type": "hologram"}]}]}),
    ("unknown items", {"input": [{"type": "hologram", "depth": 3}]}),
    ("nulls inside items", {"input": [{"role": "user", "content": "a", "id": None, "type": None}]}),
    (
        "approval without id",
        {"input": [{"type": "mcp_approval_response", "approval_request_id": "x", "approve": True}]},
    ),
    (
        "a result as parts",
        {"input": [{"type": "function_call_output", "call_id": "c", "output": []}]},
    ),
    ("include is empty", {"include": []}),
    ("include is unknown", {"include": ["hologram.depth"]}),
    ("tool choice without tools", {"tool_choice": "auto"}),
    ("unknown tool types", {"tools": [{"type": "namespace", "tools": []}, {"type": "web_search"}]}),
    (
        "tool with a null description",
        {"tools": [{"type": "function", "name": "f", "description": None, "parameters": None}]},
    ),
    (
        "tool choice of a kind",
        {"tools": [{"type": "hologram"}], "tool_choice": {"type": "hologram"}},
    ),
    ("unknown fields", {"client_metadata": {"x": 1}, "hologram": True}),
    ("metadata at its limits", {"metadata": {"k" * 64: "v" * 512}}),
    ("borders", {"temperature": 2, "top_p": 0, "top_logprobs": 20, "max_output_tokens": 1}),
    ("stream options", {"stream_options": {"include_obfuscation": False}}),
    ("service tier of somebody else", {"service_tier": "hologram"}),
    ("text", {"text": {"format": {"type": "json_schema", "name": "n", "schema": {}}}}),
    ("background said to be off", {"background": False}),
]


@pytest.mark.parametrize(
    "fields", [fields for _, fields in TOLERATED], ids=[name for name, _ in TOLERATED]
)
def test_it_is_no_reason_to_refuse(fields: JSON) -> None:
    event = accepted(**fields)
    assert all(item["type"] for item in event.input)


@given(
    st.sets(
        st.sampled_from(
            ["hologram", *({each.name for each in REQUEST_FIELDS} - {"model", "input"})]
        )
    )
)
def test_an_explicit_null_is_the_same_as_nothing(names: set[str]) -> None:
    nulls: JSON = dict.fromkeys(names)
    assert accepted(**nulls) == accepted()


REFUSED: list[tuple[JSON, str, str | None]] = [
    ({"model": None}, "missing_required_parameter", "model"),
    ({"model": ""}, "invalid_value", "model"),
    ({"model": 5}, "invalid_value", "model"),
    ({"input": ""}, "invalid_value", "input"),
    ({"input": []}, "invalid_value", "input"),
    ({"input": 5}, "invalid_value", "input"),
    ({"input": {"role": "user"}}, "invalid_value", "input"),
    ({"input": ["a"]}, "invalid_value", "input[0]"),
    ({"input": [user("a"), None]}, "invalid_value", "input[1]"),
    ({"input": [{"type": 5}]}, "invalid_value", "input[0].type"),
    ({"input": [{"role": "robot", "content": "a"}]}, "invalid_value", "input[0].role"),
    ({"input": [{"type": "message", "content": "a"}]}, "invalid_value", "input[0].role"),
    ({"input": [{"role": "user"}]}, "invalid_value", "input[0].content"),
    ({"input": [{"role": "user", "content": 5}]}, "invalid_value", "input[0].content"),
    ({"input": [{"role": "user", "content": ["a"]}]}, "invalid_value", "input[0].content[0]"),
    ({"input": [{"role": "user", "content": [{}]}]}, "invalid_value", "input[0].content[0]"),
    (
        {"input": [{"type": "function_call", "name": "f", "arguments": "{}"}]},
        "invalid_value",
        "input[0].call_id",
    ),
    (
        {"input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": {}}]},
        "invalid_value",
        "input[0].arguments",
    ),
    (
        {"input": [{"type": "function_call_output", "output": "3"}]},
        "invalid_value",
        "input[0].call_id",
    ),
    (
        {"input": [{"type": "function_call_output", "call_id": "c"}]},
        "invalid_value",
        "input[0].output",
    ),
    ({"input": None}, "missing_required_parameter", "input"),
    ({"input": [{"type": "item_reference"}]}, "invalid_value", "input[0].id"),
    ({"input": [{}]}, "invalid_value", "input[0].id"),
    (
        {"input": [{"type": "compaction", "encrypted_content": "twc1.cut"}]},
        "invalid_value",
        "input[0].encrypted_content",
    ),
    ({"instructions": 5}, "invalid_value", "instructions"),
    ({"stream": "yes"}, "invalid_value", "stream"),
    ({"store": 1}, "invalid_value", "store"),
    ({"temperature": 2.1}, "invalid_value", "temperature"),
    ({"temperature": "hot"}, "invalid_value", "temperature"),
    ({"top_p": -0.1}, "invalid_value", "top_p"),
    ({"presence_penalty": 3}, "invalid_value", "presence_penalty"),
    ({"frequency_penalty": -3}, "invalid_value", "frequency_penalty"),
    ({"top_logprobs": 21}, "invalid_value", "top_logprobs"),
    ({"max_output_tokens": 0}, "invalid_value", "max_output_tokens"),
    ({"max_output_tokens": 1.5}, "invalid_value", "max_output_tokens"),
    ({"max_tool_calls": 0}, "invalid_value", "max_tool_calls"),
    ({"parallel_tool_calls": "no"}, "invalid_value", "parallel_tool_calls"),
    ({"metadata": {"k": 1}}, "invalid_value", "metadata.k"),
    ({"metadata": {"k": "v" * 513}}, "invalid_value", "metadata.k"),
    ({"metadata": {f"k{n}": "v" for n in range(17)}}, "invalid_value", "metadata"),
    ({"metadata": []}, "invalid_value", "metadata"),
    ({"tools": {}}, "invalid_value", "tools"),
    ({"tools": ["f"]}, "invalid_value", "tools[0]"),
    ({"tools": [{"type": "function", "name": "f"}, {}]}, "invalid_value", "tools[1]"),
    ({"tool_choice": "maybe"}, "invalid_value", "tool_choice"),
    ({"tool_choice": {}}, "invalid_value", "tool_choice"),
    ({"text": "json"}, "invalid_value", "text"),
    ({"reasoning": "high"}, "invalid_value", "reasoning"),
    ({"truncation": "sometimes"}, "invalid_value", "truncation"),
    ({"include": "all"}, "invalid_value", "include"),
    ({"user": 5}, "invalid_value", "user"),
    ({"background": 1}, "invalid_value", "background"),
    ({"background": True, "store": False}, "unsupported_parameter", "background"),
    ({"conversation": 5}, "invalid_value", "conversation"),
    ({"conversation": {}}, "missing_required_parameter", "conversation.id"),
    (
        {"conversation": CONVERSATION_ID, "previous_response_id": OTHER_ID},
        "mutually_exclusive_parameters",
        "conversation",
    ),
    ({"prompt": "p"}, "invalid_value", "prompt"),
    ({"prompt": {}}, "missing_required_parameter", "prompt.id"),
    ({"prompt": {"id": "pmpt_support", "version": 1}}, "invalid_value", "prompt.version"),
    (
        {"prompt": {"id": "pmpt_support", "variables": {"customer": "Ann"}}},
        "missing_required_parameter",
        "prompt.variables.company",
    ),
    (
        {"prompt": {"id": "pmpt_support", "variables": {"customer": {"type": "input_image"}}}},
        "invalid_value",
        "prompt.variables.customer",
    ),
    (
        {"stream_options": {"include_obfuscation": "no"}},
        "invalid_value",
        "stream_options.include_obfuscation",
    ),
    ({"tools": [{"type": "mcp"}]}, "invalid_value", "tools[0].server_label"),
]


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    REFUSED,
    ids=[f"{next(iter(fields))}-{number}" for number, (fields, _, _) in enumerate(REFUSED)],
)
def test_a_wrong_value_is_refused_with_its_place(
    fields: JSON, code: str, param: str | None
) -> None:
    assert refused(orjson.dumps({**PLAIN, **fields})) == (400, code, param)


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (b"", "invalid_json", None),
        (b"{", "invalid_json", None),
        (b"[]", "invalid_json", None),
        (b'"Hello?"', "invalid_json", None),
        (b"\xff", "invalid_json", None),
        (b'{"model":"m"}', "missing_required_parameter", "input"),
        (b'{"input":"a"}', "missing_required_parameter", "model"),
    ],
)
def test_a_body_that_is_no_request_is_refused(body: bytes, code: str, param: str | None) -> None:
    assert refused(body) == (400, code, param)


@pytest.mark.parametrize("around", [b'{"a":%b}', b"[%b]"], ids=["objects", "lists"])
@given(st.integers(1, 400))
def test_only_json_of_a_sane_depth_is_read(around: bytes, levels: int) -> None:
    value = b"1"
    for _ in range(levels):
        value = around % value
    body = b'{"x":%b}' % value
    if levels < MOST_LEVELS:
        assert object_of(body)
    else:
        assert refused(body) == (400, "invalid_json", None)


@pytest.mark.parametrize("name", ["resp_nonexistent", "req_1", "", "resp_" + "0" * 31 + ">"])
def test_an_id_that_cannot_exist_is_not_found(name: str) -> None:
    body = orjson.dumps({**PLAIN, "previous_response_id": name})
    assert refused(body) == (404, "previous_response_not_found", "previous_response_id")


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"conversation": "conv_1"}, "conversation_not_found", "conversation"),
        ({"conversation": {"id": "5"}}, "conversation_not_found", "conversation"),
        ({"prompt": {"id": "p"}}, "prompt_not_found", "prompt.id"),
        ({"prompt": {"id": "pmpt_support", "version": "3"}}, "prompt_not_found", "prompt.version"),
    ],
)
def test_what_is_named_and_cannot_exist_is_not_found(fields: JSON, code: str, param: str) -> None:
    assert refused(orjson.dumps({**PLAIN, **fields})) == (404, code, param)


def test_a_prompt_template_says_the_instructions_and_the_model() -> None:
    variables = {"customer": "Ann", "company": {"type": "input_text", "text": "Acme"}}
    prompt = {"id": "pmpt_support", "variables": variables}
    event = accepted(model=None, input=None, instructions="Be rude.", prompt=prompt)
    assert (event.instructions, event.model) == ("You help Ann of Acme.", "small")
    assert event.params == {"prompt": prompt}
    assert event.input == []


def test_a_prompt_template_leaves_the_model_of_the_request_alone() -> None:
    assert accepted(prompt={"id": "pmpt_support", "version": "2"}).model == "m"


def test_what_is_continued_needs_no_input() -> None:
    assert accepted(input=None, previous_response_id=OTHER_ID).input == []
    assert accepted(input=None, conversation=CONVERSATION_ID).conversation == CONVERSATION_ID
    assert accepted(conversation={"id": CONVERSATION_ID}).conversation == CONVERSATION_ID


@pytest.mark.parametrize(
    ("fields", "padded"),
    [
        ({}, False),
        ({"stream": True}, True),
        ({"background": True}, True),
        ({"stream": True, "stream_options": {}}, True),
        ({"stream": True, "stream_options": {"include_obfuscation": False}}, False),
    ],
)
def test_streams_are_padded_unless_the_client_asks_otherwise(fields: JSON, *, padded: bool) -> None:
    assert accepted(**fields).obfuscate is padded


def test_a_reference_to_an_item_needs_no_type() -> None:
    item = {"type": "item_reference", "id": "msg_1"}
    assert accepted(input=[{"id": "msg_1"}]).input == [item]


def test_a_refusal_quotes_what_was_sent_but_not_all_of_it() -> None:
    with pytest.raises(ApiError) as raised:
        accepted(truncation="s" * 1000)
    message = raised.value.failure.message
    assert "sss" in message
    assert len(message) < 300
