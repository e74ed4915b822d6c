"""The coverage lists name what OpenAI's own package names: nothing is missing, nothing is extra."""

from typing import Any

import pytest
from openai.types import conversations, responses

from turnwire_gateway.openapi import conversation_operations as on_conversations
from turnwire_gateway.openapi import coverage
from turnwire_gateway.openapi import response_operations as on_responses
from turnwire_gateway.openapi.coverage import CoverageEntry
from turnwire_gateway.openapi.operation import Operation
from turnwire_testing import openai_names

_LISTS: dict[str, tuple[tuple[CoverageEntry, ...], set[str]]] = {
    "create": (coverage.CREATE, openai_names.create_fields()),
    "tools": (coverage.TOOLS, openai_names.TOOLS),
    "input items": (coverage.INPUT_ITEMS, openai_names.INPUT_ITEMS),
    "output items": (coverage.OUTPUT_ITEMS, openai_names.OUTPUT_ITEMS),
    "stream events": (coverage.STREAM_EVENTS, openai_names.STREAM_EVENTS),
    "client events": (coverage.SOCKET_EVENTS, openai_names.SOCKET_EVENTS),
    "fields of a create on a socket": (
        (*coverage.CREATE, *coverage.SOCKET_CREATE),
        openai_names.socket_fields(),
    ),
}

_PARAMS: list[tuple[Operation, Any, set[str]]] = [
    (on_responses.retrieve_response, responses.ResponseRetrieveParams, {"include_deleted"}),
    (on_responses.list_input_items, responses.InputItemListParams, set()),
    (on_responses.count_input_tokens, responses.InputTokenCountParams, set()),
    (on_responses.compact_response, responses.ResponseCompactParams, set()),
    (on_conversations.create_conversation, conversations.ConversationCreateParams, set()),
    (on_conversations.update_conversation, conversations.ConversationUpdateParams, set()),
    (on_conversations.create_items, conversations.ItemCreateParams, set()),
    (on_conversations.list_items, conversations.ItemListParams, set()),
    (on_conversations.retrieve_item, conversations.ItemRetrieveParams, set()),
]
"""An operation, OpenAI's type of its parameters, and those that only Turnwire has."""


@pytest.mark.parametrize("name", _LISTS)
def test_a_list_names_what_the_sdk_names(name: str) -> None:
    covered, named = _LISTS[name]
    assert _names(covered) == named
    assert len(covered) == len(named), "something is listed twice"


@pytest.mark.parametrize(("operation", "params", "ours"), _PARAMS)
def test_a_route_names_the_parameters_of_its_request(
    operation: Operation, params: Any, ours: set[str]
) -> None:
    assert _names(coverage.of_route(operation)) == openai_names.fields_of(params) | ours


def test_what_a_conversation_holds_is_covered_as_input() -> None:
    assert _names(coverage.INPUT_ITEMS) >= openai_names.CONVERSATION_ITEMS


def test_nothing_that_openai_has_is_called_an_extension() -> None:
    assert not _names(coverage.EXTENSIONS) & openai_names.create_fields()


def _names(covered: tuple[CoverageEntry, ...]) -> set[str]:
    return {each.name for each in covered}
