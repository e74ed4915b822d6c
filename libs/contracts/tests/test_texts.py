"""Items as the guard's models read them."""

import pytest

from turnwire_contracts.events import Item
from turnwire_contracts.queries import Said
from turnwire_contracts.wire.texts import spoken


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
    assert spoken(items) == [Said("user", "a\nb"), Said("user", "c")]
