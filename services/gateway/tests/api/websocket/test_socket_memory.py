"""A connection remembers the turns that are not stored, as long as there is room."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts.events import Item
from turnwire_contracts.ids import ResponseId
from turnwire_contracts.json_values import JSON
from turnwire_gateway.api.websocket.memory import Memory, Remembered, continued, remembered
from turnwire_gateway.errors import ApiError
from turnwire_testing.examples import OTHER_ID, RESPONSE_ID, message, requested, user

STORED = ResponseId("resp_019a0000000000000000000000000009")


def turn(name: str, size: int = 1) -> Remembered:
    """A turn of which only the size matters."""
    return Remembered(ResponseId(name), [], None, None, size)


def response(*output: Item, status: str = "completed") -> JSON:
    """A response object as far as it matters here."""
    return {"status": status, "output": list(output), "instructions": "Be brief."}


def before(**changes: object) -> Remembered:
    """A turn with one question and one answer."""
    said = remembered(requested(input=[user("One?")], **changes), response(message("One.")))
    assert said.response_id == RESPONSE_ID
    return said


def test_what_is_kept_is_found_until_it_is_forgotten() -> None:
    memory = Memory(2, 100)
    memory.keep(turn("a"))
    assert memory.find("a") == turn("a")
    memory.forget("a")
    memory.forget("a")
    assert memory.find("a") is None
    assert memory.find(None) is None


def test_the_turn_that_was_used_longest_ago_goes_first() -> None:
    memory = Memory(2, 100)
    memory.keep(turn("a"))
    memory.keep(turn("b"))
    memory.find("a")
    memory.keep(turn("c"))
    assert [name for name in "abc" if memory.find(name)] == ["a", "c"]


@given(st.lists(st.integers(1, 60), max_size=30))
def test_turns_never_take_more_room_than_there_is(sizes: list[int]) -> None:
    memory = Memory(5, 100)
    for number, size in enumerate(sizes):
        memory.keep(turn(str(number), size))
        if number % 3 == 0:
            memory.forget(str(number - 1))
        kept = [each for name in range(number + 1) if (each := memory.find(str(name)))]
        assert len(kept) <= 5
        assert sum(each.size for each in kept) <= 100
        assert kept[-1].size == size


def test_a_continuation_has_everything_said_before_it() -> None:
    following = requested(response_id=OTHER_ID, previous_response_id=RESPONSE_ID, input=[user("2")])
    whole = continued(following, before(), inherit=True)
    assert whole.input == [user("One?"), message("One."), user("2")]
    assert (whole.previous_response_id, whole.continues) == (None, RESPONSE_ID)
    assert whole.instructions == "Be brief."


def test_a_chain_that_began_with_a_stored_response_still_names_it() -> None:
    following = requested(previous_response_id=RESPONSE_ID)
    whole = continued(following, before(previous_response_id=STORED), inherit=True)
    assert (whole.previous_response_id, whole.continues) == (STORED, RESPONSE_ID)


@pytest.mark.parametrize(
    ("given", "inherit", "expected"),
    [(None, True, "Be brief."), (None, False, None), ("", True, ""), ("Sing.", True, "Sing.")],
)
def test_instructions_carry_forward_where_the_deployment_says_so(
    given: str | None, *, inherit: bool, expected: str | None
) -> None:
    following = requested(previous_response_id=RESPONSE_ID, instructions=given)
    assert continued(following, before(), inherit=inherit).instructions == expected


def test_an_item_that_was_broken_off_and_begun_anew_is_not_remembered() -> None:
    broken, whole = message("Hel", 0, "incomplete"), message("Hello.", 1)
    assert remembered(requested(input=[]), response(broken, whole)).items == [whole]


def test_the_last_item_of_a_response_that_was_cut_off_is_remembered() -> None:
    broken, last = message("Hel", 0, "incomplete"), message("Hello, I", 1, "incomplete")
    said = remembered(requested(input=[]), response(broken, last, status="incomplete"))
    assert said.items == [last]


def test_a_client_that_sends_everything_again_is_not_taken_at_its_word() -> None:
    again = [user("One?"), message("One."), user("Two?")]
    following = requested(previous_response_id=RESPONSE_ID, input=again)
    assert continued(following, before(), inherit=True).input == again


def test_the_same_words_again_are_new_words() -> None:
    following = requested(previous_response_id=RESPONSE_ID, input=[user("One?")])
    whole = continued(following, before(), inherit=True)
    assert whole.input == [user("One?"), message("One."), user("One?")]


def call(name: str) -> Item:
    """A function call."""
    return {"type": "function_call", "call_id": name, "name": "add", "arguments": "{}"}


def output(name: str) -> Item:
    """The output of a call."""
    return {"type": "function_call_output", "call_id": name, "output": "2"}


def test_the_output_of_a_call_belongs_to_a_call_before_it() -> None:
    asked = remembered(requested(input=[user("Add.")]), response(call("a")))
    following = requested(
        previous_response_id=RESPONSE_ID, input=[output("a"), call("b"), output("b")]
    )
    assert continued(following, asked, inherit=True).input[2:] == following.input


def test_the_output_of_a_call_that_nobody_made_is_refused() -> None:
    following = requested(previous_response_id=RESPONSE_ID, input=[output("a")])
    with pytest.raises(ApiError) as refused:
        continued(following, before(), inherit=True)
    assert (refused.value.failure.http_status, refused.value.failure.param) == (400, "input")


def test_a_call_may_stand_in_the_stored_part_of_a_chain() -> None:
    following = requested(previous_response_id=RESPONSE_ID, input=[output("a")])
    whole = continued(following, before(previous_response_id=STORED), inherit=True)
    assert whole.input[-1] == output("a")
