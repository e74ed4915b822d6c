"""Items in the one shape that every known backend takes."""

from typing import Any

import pytest

from turnwire_contracts.events import Item
from turnwire_contracts.wire.compaction import compaction_item
from turnwire_orchestrator.prompting.cleaning import cleaned
from turnwire_testing.examples import RESPONSE_ID

TABLE: list[tuple[Item, Item | None]] = [
    (
        {"type": "message", "role": "user", "content": "a"},
        {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "a"}],
        },
    ),
    (
        {"type": "message", "role": "user", "content": [{"type": "text", "text": "a"}]},
        {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "a"}],
        },
    ),
    (
        {"type": "message", "role": "system", "content": "a", "id": "msg_1", "status": "x"},
        {
            "type": "message",
            "role": "system",
            "content": [{"type": "input_text", "text": "a"}],
        },
    ),
    (
        {"type": "message", "role": "assistant", "content": "a"},
        {
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "a", "annotations": []}],
        },
    ),
    (
        {
            "type": "message",
            "role": "assistant",
            "id": "msg_1",
            "phase": "commentary",
            "status": "incomplete",
            "content": [
                {"type": "output_text", "text": "a", "annotations": [{}], "logprobs": [{}]},
                {"type": "refusal", "refusal": "no"},
            ],
        },
        {
            "type": "message",
            "role": "assistant",
            "id": "msg_1",
            "phase": "commentary",
            "status": "completed",
            "content": [
                {"type": "output_text", "text": "a", "annotations": []},
                {"type": "output_text", "text": "no", "annotations": []},
            ],
        },
    ),
    (
        {"type": "function_call_output", "call_id": "c", "output": "3", "status": "completed"},
        {"type": "function_call_output", "call_id": "c", "output": "3"},
    ),
    (
        {
            "type": "reasoning",
            "id": "rs_1",
            "status": "completed",
            "summary": [],
            "content": [{"type": "reasoning_text", "text": "hm"}],
            "encrypted_content": None,
        },
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [],
            "content": [{"type": "reasoning_text", "text": "hm"}],
        },
    ),
    ({"type": "reasoning", "id": "rs_1", "summary": []}, None),
    ({"type": "mcp_list_tools", "tools": []}, None),
    ({"type": "mcp_approval_request", "id": "mcpr_1"}, None),
    ({"type": "mcp_approval_response", "approve": True}, None),
    ({"type": "web_search_call", "id": "ws_1"}, {"type": "web_search_call", "id": "ws_1"}),
    (
        compaction_item(RESPONSE_ID, "We met."),
        {
            "type": "message",
            "role": "developer",
            "content": [
                {"type": "input_text", "text": "Summary of the conversation so far:\nWe met."}
            ],
        },
    ),
    (
        {"type": "compaction", "encrypted_content": "theirs"},
        {"type": "compaction", "encrypted_content": "theirs"},
    ),
    ({"type": "compaction", "encrypted_content": "twc1.cut"}, None),
    ({"type": "compaction_trigger"}, {"type": "compaction_trigger"}),
]


@pytest.mark.parametrize(("item", "sent"), TABLE)
def test_an_item_is_sent_like_this(item: Item, sent: Item | None) -> None:
    assert cleaned(item) == sent


def test_parts_that_are_no_text_go_through_untouched() -> None:
    image: dict[str, Any] = {"type": "input_image", "image_url": "data:,", "detail": "low"}
    told = cleaned({"type": "message", "role": "user", "content": [image]})
    assert told == {"type": "message", "role": "user", "content": [image]}


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [('{"a":1}', '{"a":1}'), ('{"a":', "{}"), ("", "{}"), (None, "{}"), ("not JSON", "{}")],
)
def test_a_call_goes_to_the_backend_with_arguments_that_are_json(
    arguments: str | None, sent: str
) -> None:
    call: Item = {
        "type": "function_call",
        "id": "fc_1",
        "call_id": "call_1",
        "name": "add",
        "arguments": arguments,
        "status": "incomplete",
    }
    expected = {"type": "function_call", "call_id": "call_1", "name": "add", "arguments": sent}
    assert cleaned(call) == expected


def test_cleaning_twice_is_cleaning_once() -> None:
    items: list[Item] = [
        {"type": "message", "role": "user", "content": "a"},
        {"type": "message", "role": "assistant", "content": "b", "id": "msg_1"},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{"},
        {"type": "function_call_output", "call_id": "c", "output": "3"},
        {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "hm"}]},
        compaction_item(RESPONSE_ID, "We met."),
    ]
    for item in items:
        once = cleaned(item)
        assert once is not None
        assert cleaned(once) == once
