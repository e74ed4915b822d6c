"""What the model is sent: its history in order, once, with the instructions that apply."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts.events import Item
from turnwire_contracts.ids import ResponseId
from turnwire_contracts.json_values import JSON
from turnwire_contracts.turn import fold
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_orchestrator.prompting.history import (
    HistoryTurn,
    encode_input,
    encode_items,
    instructions_for,
    past_of,
    without_repeats,
)
from turnwire_testing.examples import closed, message, requested, taken_over, user


def turn(number: int, says: list[Item], hears: list[Item], **changes: Any) -> ClosedTurn:
    """A turn that has ended."""
    name = ResponseId(f"resp_{number:032x}")
    instructions = changes.pop("heard", None)
    request = requested(response_id=name, input=says, **changes)
    ended = fold([request, closed(response_id=name, output=hears, instructions=instructions)])
    assert isinstance(ended, ClosedTurn)
    return ended


def answer(name: str, text: str) -> Item:
    """What the model said, under the id that a client saw."""
    return {**message(text), "id": name}


def chain(*turns: ClosedTurn) -> HistoryTurn:
    """Give the last of turns that follow one another."""
    past: HistoryTurn | None = None
    for each in turns:
        past = past_of(each, past)
    assert past is not None
    return past


def sent(past: HistoryTurn | None, new: list[Item]) -> list[JSON]:
    """Give the input that a backend gets."""
    return orjson.loads(encode_input(past, encode_items(new)))


def words(items: list[JSON]) -> list[str]:
    """Give the text of each message."""
    return [item["content"][0]["text"] for item in items]


def two_turns() -> HistoryTurn:
    """A conversation of two turns."""
    return chain(
        turn(1, [user("a")], [answer("msg_1", "b")]), turn(2, [user("c")], [answer("msg_2", "d")])
    )


def test_the_history_comes_in_order_and_the_new_items_last() -> None:
    assert words(sent(two_turns(), [user("e")])) == ["a", "b", "c", "d", "e"]


def test_a_first_turn_sends_its_own_items_only() -> None:
    assert words(sent(None, [user("a")])) == ["a"]


@given(st.lists(st.lists(st.text(min_size=1, max_size=3), max_size=3), min_size=1, max_size=5))
def test_a_history_is_all_its_turns_one_after_another(said: list[list[str]]) -> None:
    turns = [turn(n, [user(text) for text in texts], []) for n, texts in enumerate(said, 1)]
    expected = [text for texts in said for text in texts]
    assert words(sent(chain(*turns), [user("new")])) == [*expected, "new"]


def test_branches_share_their_past_and_not_each_others_turns() -> None:
    root = past_of(turn(1, [user("a")], [answer("msg_1", "b")]), None)
    left = past_of(turn(2, [user("left")], []), root)
    right = past_of(turn(3, [user("right")], []), root)
    assert left.parent is right.parent
    assert words(sent(left, [])) == ["a", "b", "left"]
    assert words(sent(right, [])) == ["a", "b", "right"]


def test_what_was_abandoned_when_an_owner_was_lost_is_not_sent_again() -> None:
    request = requested(input=[user("a")])
    lost = taken_over(abandoned=[answer("msg_lost", "Hal")], cuts=[["D"]])
    ended = fold([request, lost, closed(output=[answer("msg_1", "Hi.")])])
    assert isinstance(ended, ClosedTurn)
    past = past_of(ended, None)
    assert words(sent(past, [])) == ["a", "Hi."]
    assert {"msg_lost", "msg_1"} <= past.ids


@pytest.mark.parametrize(
    ("own", "inherited", "default", "inherit", "told"),
    [
        (None, None, None, True, None),
        (None, None, "default", True, "default"),
        (None, "old", "default", True, "old"),
        ("new", "old", "default", True, "new"),
        ("", "old", "default", True, ""),
        (None, "", "default", True, ""),
        (None, "old", "default", False, "default"),
        (None, "old", None, False, None),
        ("new", "old", "default", False, "new"),
        ("", "old", "default", False, ""),
    ],
)
def test_the_first_instructions_that_apply_are_told(
    *, own: str | None, inherited: str | None, default: str | None, inherit: bool, told: str | None
) -> None:
    past = past_of(turn(1, [user("a")], [], heard=inherited), None)
    request = requested(instructions=own)
    assert instructions_for(request, past, default, inherit=inherit) == told


def test_cleared_instructions_stay_cleared_along_the_chain() -> None:
    first = past_of(turn(1, [user("a")], [], instructions="Be brief."), None)
    second = past_of(turn(2, [user("b")], [], instructions=""), first)
    assert instructions_for(requested(), first, "default", inherit=True) == "Be brief."
    assert instructions_for(requested(), second, "default", inherit=True) == ""


def test_new_items_without_ids_are_all_kept_even_when_they_repeat() -> None:
    again = [user("a"), user("a")]
    assert without_repeats(again, two_turns()) == again


def test_a_client_that_sends_everything_again_repeats_nothing() -> None:
    """LangGraph: [user, assistant{id}, user] and previous_response_id."""
    past = chain(turn(1, [user("a")], [answer("msg_1", "b")]))
    again = [user("a"), {"type": "message", "id": "msg_1", "role": "assistant", "content": "b"}]
    new = [user("c")]
    assert without_repeats([*again, *new], past) == new
    assert words(sent(past, without_repeats([*again, *new], past))) == ["a", "b", "c"]


def test_a_whole_conversation_that_is_sent_again_repeats_nothing() -> None:
    again = [user("a"), answer("msg_1", "b"), user("c"), answer("msg_2", "d")]
    assert without_repeats([*again, user("e")], two_turns()) == [user("e")]


def test_a_new_question_in_the_words_of_an_old_one_is_kept() -> None:
    past = chain(turn(1, [user("a")], [answer("msg_1", "b")]))
    again = [user("a"), answer("msg_1", "b"), user("a")]
    assert without_repeats(again, past) == [user("a")]


def test_an_item_with_an_id_that_nobody_knows_is_new() -> None:
    unknown = answer("msg_unknown", "b")
    assert without_repeats([user("a"), unknown], two_turns()) == [user("a"), unknown]


def test_a_new_item_before_a_repeated_one_is_kept() -> None:
    items = [user("brand new"), answer("msg_1", "b"), user("e")]
    assert without_repeats(items, two_turns()) == [user("brand new"), user("e")]


def test_without_a_history_nothing_can_repeat() -> None:
    items = [answer("msg_1", "b")]
    assert without_repeats(items, None) == items


def test_an_answer_to_a_call_that_was_deleted_is_not_sent() -> None:
    call = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{}"}
    answered = {"type": "function_call_output", "call_id": "c1", "output": "3"}
    first = fold([requested(input=[user("a")]), closed(output=[call])])
    second = fold([requested(input=[answered, user("b")]), closed(output=[answer("msg_1", "Hi.")])])
    assert isinstance(first, ClosedTurn)
    assert isinstance(second, ClosedTurn)

    whole = orjson.loads(encode_input(past_of(second, past_of(first, None)), b""))
    without_the_first = orjson.loads(encode_input(past_of(second, None), b""))

    kinds = ["message", "function_call", "function_call_output", "message", "message"]
    assert [item["type"] for item in whole] == kinds
    assert [item["type"] for item in without_the_first] == ["message", "message"]
