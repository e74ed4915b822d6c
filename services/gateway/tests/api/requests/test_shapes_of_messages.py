"""Messages and parts of chat completions become items; wrong ones are refused with their place."""

from typing import Any

import pytest

from turnwire_contracts.events import Item
from turnwire_contracts.json_values import JSON
from turnwire_testing.create_requests import refused, taken
from turnwire_testing.examples import user

URL = "data:image/png;base64,AA"
CALL: JSON = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
MADE: Item = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}


def said(role: str, content: Any) -> Item:
    """A message as it is kept."""
    return {"type": "message", "role": role, "content": content}


@pytest.mark.parametrize(
    ("message", "items"),
    [
        ({"role": "tool", "tool_call_id": "c", "content": "3", "name": "f"},
         [{"type": "function_call_output", "call_id": "c", "output": "3"}]),
        ({"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "3"}]},
         [{"type": "function_call_output", "call_id": "c",
           "output": [{"type": "input_text", "text": "3"}]}]),
        ({"role": "assistant", "content": None, "tool_calls": [CALL]}, [MADE]),
        ({"role": "assistant", "tool_calls": [CALL]}, [MADE]),
        ({"role": "assistant", "content": "", "tool_calls": [CALL, {**CALL, "id": "d"}]},
         [MADE, {**MADE, "call_id": "d"}]),
        ({"role": "assistant", "content": "Hm.", "tool_calls": [CALL], "refusal": None},
         [said("assistant", "Hm."), MADE]),
        ({"role": "assistant", "content": [{"type": "text", "text": "Hm."}], "tool_calls": [CALL]},
         [said("assistant", [{"type": "output_text", "text": "Hm."}]), MADE]),
        ({"role": "assistant", "content": None, "refusal": "No.", "tool_calls": []},
         [{**said("assistant", [{"type": "refusal", "refusal": "No."}])}]),
        ({"role": "assistant", "tool_calls": [
            {"id": "c", "type": "custom", "custom": {"name": "p", "input": "x"}}]},
         [{"type": "custom_tool_call", "call_id": "c", "name": "p", "input": "x"}]),
    ],
)  # fmt: skip
def test_a_message_of_chat_completions_becomes_items(message: JSON, items: list[Item]) -> None:
    assert taken(input=[user("Hi"), message]).input == [user("Hi"), *items]


def test_the_output_of_a_custom_tool_is_called_so() -> None:
    custom = {"id": "c", "type": "custom", "custom": {"name": "p", "input": "x"}}
    chat = [
        {"role": "assistant", "tool_calls": [custom, {**CALL, "id": "d"}]},
        {"role": "tool", "tool_call_id": "c", "content": "1"},
        {"role": "tool", "tool_call_id": "d", "content": "2"},
    ]
    kinds = [item["type"] for item in taken(input=chat).input]
    assert kinds[2:] == ["custom_tool_call_output", "function_call_output"]


@pytest.mark.parametrize(
    ("part", "flat"),
    [
        ({"type": "text", "text": "a"}, {"type": "input_text", "text": "a"}),
        ({"type": "image_url", "image_url": {"url": URL}},
         {"type": "input_image", "image_url": URL}),
        ({"type": "image_url", "image_url": {"url": URL, "detail": "low"}},
         {"type": "input_image", "image_url": URL, "detail": "low"}),
        ({"type": "image_url", "image_url": URL}, {"type": "input_image", "image_url": URL}),
        ({"type": "input_image", "image_url": {"url": URL, "detail": None}},
         {"type": "input_image", "image_url": URL}),
        ({"type": "input_image", "image_url": {"url": URL, "detail": "low"}, "detail": "high"},
         {"type": "input_image", "image_url": URL, "detail": "high"}),
        ({"type": "input_image", "file_id": "file_1", "image_url": None},
         {"type": "input_image", "file_id": "file_1"}),
        ({"type": "file", "file": {"file_data": "data:,a", "filename": "a.txt"}},
         {"type": "input_file", "file_data": "data:,a", "filename": "a.txt"}),
        ({"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}},) * 2,
        ({"type": "hologram"},) * 2,
    ],
)  # fmt: skip
def test_a_part_is_kept_flat(part: JSON, flat: JSON) -> None:
    output: Item = {"type": "function_call_output", "call_id": "c", "output": [part]}
    message, given = taken(input=[said("user", [part]), output]).input
    assert message["content"] == given["output"] == [flat]


WRONG_PARTS: list[tuple[JSON, str]] = [
    ({"type": "input_text"}, ".text"),
    ({"type": "input_text", "text": None}, ".text"),
    ({"type": "text"}, ".text"),
    ({"type": "output_text", "annotations": []}, ".text"),
    ({"text": "a"}, ""),
    ({"type": None, "text": "a"}, ""),
    ({"type": "refusal"}, ".refusal"),
    ({"type": "refusal", "refusal": ["No."]}, ".refusal"),
    ({"type": "file", "file": "a.txt"}, ".file"),
    ({"type": "file"}, ".file"),
    ({"type": "file", "file": {"filename": "a.txt"}}, ".file"),
    ({"type": "input_file", "filename": "a.txt"}, ""),
    ({"type": "input_file", "file_data": {"a": 1}}, ""),
    ({"type": "input_audio"}, ".input_audio"),
    ({"type": "input_audio", "input_audio": "AA"}, ".input_audio"),
    ({"type": "input_audio", "input_audio": {"format": "wav"}}, ".input_audio.data"),
    ({"type": "tool_use", "id": "c", "name": "f", "input": {}}, ".type"),
    ({"type": "tool_result", "tool_use_id": "c", "content": "3"}, ".type"),
    ({"type": "image", "source": {"type": "base64", "data": "AA"}}, ".type"),
    ({"type": "document", "source": {"type": "text", "data": "a"}}, ".type"),
    ({"type": "thinking", "thinking": "Hm."}, ".type"),
    ({"type": "image_file", "image_file": {"file_id": "file_1"}}, ".type"),
]

WRONG_ITEMS: list[tuple[Any, str]] = [
    ({"role": "tool", "content": "3"}, ".tool_call_id"),
    ({"role": "tool", "tool_call_id": 5, "content": "3"}, ".tool_call_id"),
    ({"role": "tool", "tool_call_id": "c"}, ".content"),
    ({"role": "tool", "tool_call_id": "c", "content": 5}, ".content"),
    ({"role": "tool", "tool_call_id": "c", "content": ["3"]}, ".content[0]"),
    ({"role": "assistant", "tool_calls": "c"}, ".tool_calls"),
    ({"role": "assistant", "tool_calls": ["c"]}, ".tool_calls[0].id"),
    ({"role": "assistant", "tool_calls": [{**CALL, "id": None}]}, ".tool_calls[0].id"),
    ({"role": "assistant", "tool_calls": [CALL, {"id": "d"}]}, ".tool_calls[1].function"),
    ({"role": "assistant", "tool_calls": [{"id": "d", "function": {"name": "f"}}]},
     ".tool_calls[0].function.arguments"),
    ({"role": "assistant", "tool_calls": [{"id": "d", "function": {"name": 5}}]},
     ".tool_calls[0].function.name"),
    ({"role": "assistant", "content": None}, ".content"),
    ({"role": "function", "name": "f", "content": "3"}, ".role"),
    (said("user", [{"type": "text", "text": 5}]), ".content[0].text"),
    (said("user", [{"type": "input_text", "text": {}}]), ".content[0].text"),
    (said("user", [{"type": "input_image"}]), ".content[0].image_url"),
    (said("user", [{"type": "input_image", "image_url": 5}]), ".content[0].image_url"),
    (said("user", [{"type": "input_image", "image_url": ""}]), ".content[0].image_url"),
    (said("user", [{"type": "image_url", "image_url": {}}]), ".content[0].image_url.url"),
    (said("user", [{"type": "input_text", "text": "a"},
                   {"type": "image_url", "image_url": {"url": 5}}]),
     ".content[1].image_url.url"),
    (said("user", [{"type": "input_image", "image_url": URL, "detail": 5}]),
     ".content[0].detail"),
    *((said("user", [part]), f".content[0]{place}") for part, place in WRONG_PARTS),
    ({"type": "custom_tool_call", "call_id": "c", "name": "f"}, ".input"),
    ({"type": "custom_tool_call", "call_id": "c", "input": "a"}, ".name"),
    ({"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text"}]},
     ".output[0].text"),
    ({"type": "function_call_output", "call_id": "c",
      "output": [{"type": "image_url", "image_url": []}]}, ".output[0].image_url"),
]  # fmt: skip


@pytest.mark.parametrize(("item", "place"), WRONG_ITEMS)
def test_a_wrong_message_or_part_is_refused_with_its_place(item: JSON, place: str) -> None:
    assert refused(input=[user("Hi"), item])[0] == f"input[1]{place}"
