"""The coverage lists name what OpenAI's own package names: nothing is missing, nothing is extra."""

from typing import Any

import pytest
from openai.types import conversations, responses

from turnwire_gateway.openapi.coverage import events, items, other_requests, request_fields
from turnwire_gateway.openapi.coverage.verdict import Covered
from turnwire_testing import openai_names

_LISTS: dict[str, tuple[tuple[Covered, ...], set[str]]] = {
    "create": (request_fields.CREATE, openai_names.create_fields()),
    "tools": (items.TOOLS, openai_names.TOOLS),
    "input items": (items.INPUT_ITEMS, openai_names.INPUT_ITEMS),
    "output items": (items.OUTPUT_ITEMS, openai_names.OUTPUT_ITEMS),
    "stream events": (events.STREAM_EVENTS, openai_names.STREAM_EVENTS),
    "client events": (events.SOCKET_EVENTS, openai_names.SOCKET_EVENTS),
    "fields of a create on a socket": (
        (*request_fields.CREATE, *other_requests.SOCKET_CREATE),
        openai_names.socket_fields(),
    ),
}

_PARAMS: list[tuple[tuple[Covered, ...], Any]] = [
    (other_requests.RETRIEVE, responses.ResponseRetrieveParams),
    (other_requests.INPUT_ITEMS_QUERY, responses.InputItemListParams),
    (other_requests.INPUT_TOKENS, responses.InputTokenCountParams),
    (other_requests.COMPACT, responses.ResponseCompactParams),
    (other_requests.CONVERSATION_CREATE, conversations.ConversationCreateParams),
    (other_requests.CONVERSATION_UPDATE, conversations.ConversationUpdateParams),
    (
        (*other_requests.ITEMS_CREATE, *other_requests.ITEMS_CREATE_QUERY),
        conversations.ItemCreateParams,
    ),
    (other_requests.ITEMS_QUERY, conversations.ItemListParams),
    (other_requests.ITEM_QUERY, conversations.ItemRetrieveParams),
]


@pytest.mark.parametrize("name", _LISTS)
def test_a_list_names_what_the_sdk_names(name: str) -> None:
    covered, named = _LISTS[name]
    assert _names(covered) == named
    assert len(covered) == len(named), "something is listed twice"


@pytest.mark.parametrize(("covered", "params"), _PARAMS)
def test_a_list_names_the_parameters_of_its_request(
    covered: tuple[Covered, ...], params: Any
) -> None:
    assert _names(covered) == openai_names.fields_of(params)


def test_what_a_conversation_holds_is_covered_as_input() -> None:
    assert _names(items.INPUT_ITEMS) >= openai_names.CONVERSATION_ITEMS


def test_nothing_that_openai_has_is_called_an_extension() -> None:
    assert not _names(request_fields.EXTENSIONS) & openai_names.create_fields()


def _names(covered: tuple[Covered, ...]) -> set[str]:
    return {each.name for each in covered}
