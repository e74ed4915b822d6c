"""Items as the guard reads them, and what is left of what it blocks."""

from base64 import b64encode

import pytest

from turnwire_contracts.events import Item
from turnwire_contracts.queries import GuardMessage
from turnwire_contracts.wire.compaction import compaction_item
from turnwire_contracts.wire.texts import blanked, spoken, texts
from turnwire_testing.examples import RESPONSE_ID, message


@pytest.mark.parametrize(
    ("item", "role"),
    [
        ({"type": "message", "role": "user", "content": "x"}, "user"),
        ({"type": "message", "role": "system", "content": "x"}, "user"),
        ({"type": "message", "role": "developer", "content": "x"}, "user"),
        ({"type": "message", "role": "assistant", "content": "x"}, "assistant"),
        ({"role": "assistant", "content": [{"type": "output_text", "text": "x"}]}, "assistant"),
        ({"type": "function_call", "arguments": "x"}, "assistant"),
        ({"type": "function_call_output", "output": "x"}, "user"),
        ({"type": "custom_tool_call_output", "output": [{"text": "x"}]}, "user"),
        ({"type": "reasoning", "content": [{"text": "x"}]}, "assistant"),
    ],
)
def test_who_is_said_to_speak(item: Item, role: str) -> None:
    assert [(said.role, said.text) for said in spoken([item])] == [(role, "x")]


def test_items_keep_their_order_and_those_without_text_are_left_out() -> None:
    items: list[Item] = [
        {"role": "user", "content": [{"text": "a"}, {"image_url": "i"}, {"text": "b"}]},
        {"type": "item_reference", "id": "msg_1"},
        {"role": "assistant", "content": ""},
        {"role": "user", "content": "c"},
    ]
    assert spoken(items) == [GuardMessage("user", "a\nb"), GuardMessage("user", "c")]


@pytest.mark.parametrize(
    ("item", "read"),
    [
        ({"type": "custom_tool_call", "call_id": "c", "name": "run", "input": "x"}, ["run", "x"]),
        ({"type": "mcp_call", "server_label": "s", "error": {"message": "x"}}, ["x"]),
        ({"type": "mcp_approval_response", "approval_request_id": "a", "reason": "x"}, ["x"]),
        ({"type": "reasoning", "summary": [{"type": "summary_text", "text": "x"}]}, ["x"]),
        ({"type": "message", "content": [{"type": "refusal", "refusal": "x"}]}, ["x"]),
        ({"type": "anything", "later": {"deep": ["x"]}}, ["x"]),
        ({"type": "input_file", "filename": "f.txt", "file_data": "eA=="}, ["f.txt", "x"]),
        ({"type": "input_file", "file_data": "data:text/plain;base64,eA=="}, ["x"]),
        ({"type": "input_file", "file_data": b64encode(b"\xff\xfe").decode()}, []),
        ({"type": "input_image", "image_url": "data:image/png;base64,eA=="}, []),
        (compaction_item(RESPONSE_ID, "x"), ["x"]),
        ({"type": "reasoning", "encrypted_content": "of another server"}, []),
    ],
)
def test_whatever_a_model_reads_as_text_is_found(item: Item, read: list[str]) -> None:
    assert texts([item]) == read


def test_a_blanked_item_has_its_shape_and_none_of_its_words() -> None:
    said = message("Hé 👋", status="completed")
    (blank,) = blanked([said])
    assert blank == {
        **message("████", status="incomplete"),
        "id": said["id"],
    }


def test_the_tokens_of_a_blanked_text_are_blank_too() -> None:
    part = {"type": "output_text", "text": "x", "logprobs": [{"token": "x", "bytes": [120]}]}
    (blank,) = blanked([{"type": "message", "content": [part]}])
    assert blank["content"][0]["logprobs"] == [{"token": "█", "bytes": []}]
