"""What the coverage lists say of a field, an item or an event is what the code does with it."""

from typing import Any

import orjson
import pytest
from pydantic import BaseModel

from turnwire_contracts.events import Item, Requested
from turnwire_contracts.json_values import JSON
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.wire.assembly import Assembler
from turnwire_contracts.wire.frames import FrameWriter, payload
from turnwire_contracts.wire.items import opened
from turnwire_contracts.wire.stream import stream_of
from turnwire_gateway.admission.admission import Origin
from turnwire_gateway.api.requests.create_request import CreateRequest
from turnwire_gateway.api.requests.other_requests import (
    CheckRequest,
    CompactRequest,
    ConversationCreate,
    ConversationUpdate,
    ItemsCreate,
)
from turnwire_gateway.api.requests.validation import Rules, requested
from turnwire_gateway.errors import ApiError
from turnwire_gateway.openapi import coverage
from turnwire_gateway.openapi.conversation_operations import (
    create_conversation,
    create_items,
    update_conversation,
)
from turnwire_gateway.openapi.coverage import Coverage, CoverageEntry, of_route
from turnwire_gateway.openapi.deployment_operations import check
from turnwire_gateway.openapi.response_operations import compact_response, count_input_tokens
from turnwire_orchestrator.inference.reading import Reader
from turnwire_orchestrator.prompting.cleaning import cleaned
from turnwire_orchestrator.prompting.dialect import Dialect
from turnwire_orchestrator.prompting.prompt import Prompt
from turnwire_orchestrator.prompting.responses_body import counting_body, responses_body
from turnwire_testing.examples import AT, OWNER, RESPONSE_ID, TENANT, closed, message
from turnwire_testing.examples import requested as request

ORIGIN = Origin(TENANT, OWNER, "req_1", RESPONSE_ID, AT)
FIELDS = (*coverage.CREATE, *coverage.EXTENSIONS)

_VALUES: JSON = {
    "max_tool_calls": 3,
    "user": "ada",
    "safety_identifier": "ada",
    "prompt_cache_key": "key",
    "service_tier": "flex",
    "reasoning": {"effort": "low"},
}
"""Values of fields whose values are checked; any other field takes anything."""

_COUNTED: JSON = {"parallel_tool_calls": False, "truncation": "auto"}
"""Values of fields that may change a count."""

_CALLED: Item = {"call_id": "c", "name": "add", "arguments": "{}", "input": "1+2"}


def those(covered: tuple[CoverageEntry, ...], *verdicts: Coverage) -> list[str]:
    """Name what is met in one of these ways."""
    return [each.name for each in covered if each.verdict in verdicts]


def send(**fields: Any) -> Requested:
    """Send a request."""
    given = {"model": "m", "input": "Hello?", **fields}
    return requested(given, ORIGIN, Rules(screen=False, prompts={}))


def value_of(name: str) -> Any:
    """Give a value that a field may have."""
    return _VALUES.get(name, {"any": ["thing"]})


def taken(name: str) -> Requested:
    """Send a field that is taken."""
    try:
        return send(**{name: value_of(name)})
    except ApiError as error:
        pytest.fail(f"{error.failure.message} Give `_VALUES` of this file one that it may have.")


def param_of_refusal(**fields: Any) -> str | None:
    """Send a request that is refused; gives the name of what is wrong."""
    with pytest.raises(ApiError) as raised:
        send(**fields)
    assert raised.value.failure.http_status == 400
    return raised.value.failure.param


def asked(given: Requested) -> JSON:
    """Give what a backend is asked."""
    return orjson.loads(responses_body(Prompt(given, None, given.input, None), Dialect.PLAIN))


def example(kind: str) -> Item:
    """Give an item of a kind, with what its kind must have."""
    match kind:
        case "message":
            return {"type": kind, "role": "user", "content": "Hello?"}
        case "reasoning":
            return {"type": kind, "status": "completed", "summary": [{"type": "summary_text"}]}
        case _:
            return {"type": kind, "id": "i", "hologram": True}


def read(*told: JSON) -> tuple[list[Item], set[str]]:
    """Let a backend say something; gives the items and the types of the frames."""
    frames = FrameWriter()
    assembler = Assembler(RESPONSE_ID, frames)
    reader = Reader(assembler, None)
    for event in told:
        reader.take(orjson.dumps(event))
    reader.end()
    return assembler.items, {payload(frame)["type"] for frame in frames.take()[1]}


@pytest.mark.parametrize("name", those(FIELDS, Coverage.SUPPORTED))
def test_a_supported_field_is_known(name: str) -> None:
    assert name in CreateRequest.model_fields


@pytest.mark.parametrize(
    ("model", "covered"),
    [
        (CompactRequest, of_route(compact_response)),
        (ConversationCreate, of_route(create_conversation)),
        (ConversationUpdate, of_route(update_conversation)),
        (ItemsCreate, of_route(create_items)),
        (CheckRequest, of_route(check)),
    ],
)
def test_other_bodies_know_what_is_said_to_have_an_effect(
    model: type[BaseModel], covered: tuple[CoverageEntry, ...]
) -> None:
    assert set(model.model_fields) == set(
        those(covered, Coverage.SUPPORTED, Coverage.PASSED_THROUGH)
    )


@pytest.mark.parametrize(
    "name", those(of_route(count_input_tokens), Coverage.PASSED_THROUGH, Coverage.IGNORED)
)
def test_what_is_counted_is_told_to_a_backend_that_counts(name: str) -> None:
    choice = {"tool_choice": "auto", "tools": [{"type": "function", "name": "add"}]}
    value = choice if name == "tool_choice" else {name: _COUNTED.get(name, {"any": ["thing"]})}
    given = send(**value)
    told = orjson.loads(counting_body(Prompt(given, None, given.input, None), Dialect.PLAIN))
    passed = those(of_route(count_input_tokens), Coverage.PASSED_THROUGH)
    assert (name in told) == (name in passed)


@pytest.mark.parametrize("name", those(FIELDS, Coverage.PASSED_THROUGH))
def test_a_field_that_is_passed_through_reaches_the_backend_as_it_is(name: str) -> None:
    assert asked(taken(name)).get(name) == value_of(name)


@pytest.mark.parametrize("name", those(FIELDS, Coverage.IGNORED))
def test_an_ignored_field_is_taken_and_reaches_no_backend(name: str) -> None:
    assert name not in asked(taken(name))


def test_a_field_that_the_gateway_knows_is_in_a_list() -> None:
    assert set(CreateRequest.model_fields) <= {each.name for each in FIELDS}


@pytest.mark.parametrize("kind", those(coverage.TOOLS, Coverage.SUPPORTED, Coverage.PASSED_THROUGH))
def test_a_tool_reaches_the_backend_as_it_is(kind: str) -> None:
    if kind in ("mcp", "namespace"):
        # The backend sees functions in their place.
        return
    tool = {"type": kind, "name": "t"}
    assert asked(send(tools=[tool]))["tools"] == [tool]


def test_what_is_refused_is_named() -> None:
    tools = [{"type": kind} for kind in those(coverage.TOOLS, Coverage.REFUSED)]
    assert [param_of_refusal(tools=[tool]) for tool in tools] == ["tools[0].type"] * len(tools)
    fields = those(FIELDS, Coverage.REFUSED)
    assert [param_of_refusal(**{name: {"any": ["thing"]}}) for name in fields] == fields


@pytest.mark.parametrize("kind", those(coverage.INPUT_ITEMS, Coverage.SUPPORTED))
def test_a_supported_input_item_is_checked_or_put_into_words(kind: str) -> None:
    try:
        (taken,) = send(input=[example(kind)]).input
    except ApiError:
        return
    assert cleaned(taken) != taken or kind in {"item_reference", "compaction"}


@pytest.mark.parametrize("kind", those(coverage.INPUT_ITEMS, Coverage.PASSED_THROUGH))
def test_an_input_item_that_is_passed_through_reaches_the_backend_as_it_is(kind: str) -> None:
    assert asked(send(input=[example(kind)]))["input"] == [example(kind)]


@pytest.mark.parametrize("kind", those(coverage.INPUT_ITEMS, Coverage.IGNORED))
def test_an_ignored_input_item_is_kept_and_reaches_no_backend(kind: str) -> None:
    taken = send(input=[example(kind)])
    assert taken.input == [example(kind)]
    assert asked(taken)["input"] == []


@pytest.mark.parametrize("kind", those(coverage.OUTPUT_ITEMS, Coverage.PASSED_THROUGH))
def test_an_output_item_that_is_passed_through_is_told_whole(kind: str) -> None:
    (item,), told = read({"type": "response.output_item.done", "item": example(kind)})
    assert {**item, "id": "i"} == example(kind)
    assert told == {"response.output_item.added", "response.output_item.done"}


@pytest.mark.parametrize("kind", those(coverage.OUTPUT_ITEMS, Coverage.SUPPORTED))
def test_a_supported_output_item_is_told_piece_by_piece_or_made_here(kind: str) -> None:
    streams = opened({"type": kind, **_CALLED}, RESPONSE_ID, 0).get("status") == "in_progress"
    assert streams or kind == "compaction" or kind.startswith("mcp_")


def test_the_supported_events_are_those_that_streams_are_written_with() -> None:
    kinds: list[Item] = [
        _with_annotation(message("Hi.")),
        {"type": "message", "content": [{"type": "refusal", "refusal": "No."}]},
        {
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "So."}],
            "content": [{"type": "reasoning_text", "text": "Hm."}],
        },
        {"type": "function_call", **_CALLED},
        {"type": "custom_tool_call", **_CALLED},
        {"type": "mcp_list_tools", "id": "l", "server_label": "s", "tools": []},
        {"type": "mcp_call", "id": "c", "status": "completed", "output": "3", **_CALLED},
        {
            "type": "mcp_call",
            "id": "c",
            "status": "failed",
            "error": {"type": "http_error"},
            **_CALLED,
        },
    ]
    ends = ("completed", "incomplete", "failed", "cancelled")
    turns = [
        ClosedTurn(request(stream=True, background=True), closed(status=end, output=kinds))
        for end in ends
    ]
    written = {payload(frame)["type"] for turn in turns for frame in stream_of(turn)}
    only_when_a_stream_is_cut = {"error"}
    assert written | only_when_a_stream_is_cut == set(
        those(coverage.STREAM_EVENTS, Coverage.SUPPORTED)
    )


@pytest.mark.parametrize("name", those(coverage.STREAM_EVENTS, Coverage.IGNORED, Coverage.REFUSED))
def test_other_events_of_a_backend_are_not_told_on(name: str) -> None:
    event: JSON = {"type": name, "item_id": "i", "output_index": 0, "delta": "d", "item": {}}
    assert read(event) == ([], set())


def _with_annotation(item: Item) -> Item:
    (part,) = item["content"]
    return {**item, "content": [{**part, "annotations": [{"type": "url_citation"}]}]}
