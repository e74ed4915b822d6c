"""A prompt that is too long loses its oldest items, and never what the rest cannot do without."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts.events import Item
from turnwire_contracts.json_values import objects
from turnwire_contracts.wire.compaction import compaction_item
from turnwire_orchestrator.prompting.prompt import Prompt
from turnwire_orchestrator.prompting.shortening import shortened
from turnwire_orchestrator.prompting.weighing import estimated_tokens, weight
from turnwire_testing.examples import RESPONSE_ID
from turnwire_testing.prompts import FUNCTION, prompt


def says(role: str, text: str) -> Item:
    """A message."""
    return {"type": "message", "role": role, "content": text}


def calls(call_id: str) -> Item:
    """A call."""
    return {"type": "function_call", "call_id": call_id, "name": "add", "arguments": "{}"}


def gave(call_id: str) -> Item:
    """Its output."""
    return {"type": "function_call_output", "call_id": call_id, "output": "3"}


def thinks(text: str) -> Item:
    """A thought."""
    return {"type": "reasoning", "content": [{"type": "reasoning_text", "text": text}]}


def asked(*items: Item, **more: Any) -> Prompt:
    """A prompt of these items."""
    return prompt(input=[*items], **more)


def words(told: Prompt | None) -> list[str]:
    """Say in short what is left of a prompt."""
    assert told is not None
    return [_word(item) for item in told.items]


def _word(item: Item) -> str:
    parts = objects(item.get("content"))
    return parts[0]["text"] if parts else str(item.get("call_id"))


def at_most(told: Prompt, tokens: int | None = None, limit: int | None = None) -> Prompt:
    """Shorten until nothing more can go."""
    while (shorter := shortened(told, tokens, limit)) is not None:
        told = shorter
    return told


def test_the_oldest_go_first() -> None:
    talk = asked(says("user", "1"), says("assistant", "2"), says("user", "3"))
    assert words(shortened(talk, None, None)) == ["3"]


def test_an_answer_does_not_stay_without_its_question() -> None:
    talk = asked(
        says("user", "x" * 900), says("assistant", "2"), says("user", "3"), says("user", "4")
    )
    assert words(shortened(talk, 1000, 800)) == ["3", "4"]


def test_what_steers_the_model_stays() -> None:
    talk = asked(
        says("system", "rule"), says("user", "1"), says("developer", "law"),
        says("assistant", "2"), says("user", "3"),
        instructions="Be brief.",
    )  # fmt: skip
    told = at_most(talk)
    assert words(told) == ["rule", "law", "3"]
    assert told.instructions == "Be brief."


def test_what_is_newest_stays_whatever_it_weighs() -> None:
    talk = asked(says("user", "1"), says("assistant", "2"), says("user", "x" * 5000))
    assert words(at_most(talk, 10, 1)) == ["x" * 5000]
    assert shortened(asked(says("user", "x" * 5000)), None, None) is None


def test_outputs_that_are_new_keep_their_calls_and_the_last_wish() -> None:
    talk = asked(
        says("user", "wish"), thinks("hm"), calls("a"), gave("a"), thinks("so"), calls("b"),
        calls("c"), gave("b"), gave("c"),
    )  # fmt: skip
    assert words(at_most(talk)) == ["wish", "so", "b", "c", "b", "c"]


def test_a_compaction_stands_for_what_was_dropped_and_stays() -> None:
    ours = compaction_item(RESPONSE_ID, "We met.")
    talk = asked(ours, says("user", "1"), says("assistant", "2"), says("user", "3"))
    summary, newest = words(at_most(talk))
    assert (summary.endswith("We met."), newest) == (True, "3")


def test_all_that_waits_for_an_answer_is_newest() -> None:
    talk = asked(says("assistant", "1"), says("user", "a document"), says("user", "a question"))
    assert words(at_most(talk)) == ["a document", "a question"]


def test_as_much_goes_as_the_backend_says_is_too_much() -> None:
    turns = [says(role, "123") for _ in range(50) for role in ("user", "assistant")]
    talk = asked(*turns, says("user", "123"))
    assert 80 <= len(words(shortened(talk, 1000, 950))) <= 88
    assert 45 <= len(words(shortened(talk, None, None))) <= 52
    assert 45 <= len(words(shortened(talk, 5, 10))) <= 52


items = st.lists(
    st.one_of(
        st.builds(says, st.sampled_from(["user", "assistant", "system"]), st.text(max_size=9)),
        st.builds(calls, st.sampled_from("abcd")),
        st.builds(gave, st.sampled_from("abcd")),
        st.builds(thinks, st.text(max_size=9)),
    ),
    max_size=20,
)
MODELS = ("reasoning", "function_call")
numbers = st.none() | st.integers(1, 10_000)


@given(items, numbers, numbers)
def test_something_goes_or_nothing_can(
    told: list[Item], tokens: int | None, limit: int | None
) -> None:
    before = asked(*told)
    after = shortened(before, tokens, limit)
    if after is not None:
        left = iter(before.items)
        assert len(after.items) < len(before.items)
        assert all(item in left for item in after.items), "the order stays"


@given(items, numbers, numbers)
def test_a_call_and_its_output_stay_together(
    told: list[Item], tokens: int | None, limit: int | None
) -> None:
    before = asked(*told)
    after = shortened(before, tokens, limit)
    for call_id in "abcd" if after else "":
        assert after is not None
        kept = [item["type"] for item in after.items if item.get("call_id") == call_id]
        there = [item["type"] for item in before.items if item.get("call_id") == call_id]
        assert kept in ([], there)


@given(items)
def test_rules_and_the_newest_are_never_dropped(told: list[Item]) -> None:
    before = asked(*told)
    left = at_most(before).items
    assert [item for item in before.items if item.get("role") == "system"] == [
        item for item in left if item.get("role") == "system"
    ]
    for newest in before.items[-1:]:
        models = newest.get("role") == "assistant" or newest["type"] in MODELS
        assert models or left[-1] == newest
    asks = [item for item in before.items if item.get("role") == "user"]
    assert all(item in left for item in asks[-1:])


@pytest.mark.parametrize(
    ("value", "bytes_read"),
    [
        ("äb", 3),
        ({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "ab"}]}, 2),
        ({"type": "input_image", "image_url": "data:image/png;base64," + "A" * 100_000}, 4096),
        ({"type": "input_file", "file_data": "A" * 100_000, "filename": "a.txt"}, 4096 + 5),
        ({"type": "function_call", "call_id": "call_1", "name": "add", "arguments": "{}"}, 5),
        (5, 0),
    ],
)
def test_an_item_weighs_what_a_model_reads_of_it(value: Any, bytes_read: int) -> None:
    assert weight(value) == bytes_read


def test_an_estimate_is_a_quarter_of_the_bytes_and_four_for_each_item() -> None:
    told = asked(says("user", "12345"), says("user", "1234"))
    assert estimated_tokens(told, told.items) == 3 + 2 * 4
    ruled = asked(says("user", "12345678"), instructions="1234", params={"tools": [FUNCTION]})
    tools = len('{"type":"function","name":"add","parameters":{"type":"object"}}')
    assert estimated_tokens(ruled, ruled.items) == -(-(8 + 4 + tools) // 4) + 4
