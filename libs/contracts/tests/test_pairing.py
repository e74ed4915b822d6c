"""Calls and their answers in what a client sends: all or none, and each behind its call."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts.events import Item
from turnwire_contracts.tool_rounds.pairing import (
    CANCELLED,
    PrecedingCalls,
    cancelled,
    is_answer,
    is_call,
    paired,
    unpaired,
)


def item(word: str) -> Item:
    """Read `a` (a call), `A` (its answer), `u`, `s` (a user, a model says something), `r`.

    `h` is a call of a hosted tool, `H` what it gave.
    """
    match word:
        case "u" | "s":
            role = "user" if word == "u" else "assistant"
            return {"type": "message", "role": role, "content": word}
        case "r":
            return {"type": "reasoning", "summary": []}
        case "h":
            return {"type": "computer_call", "call_id": word, "action": {}}
        case "H":
            return {"type": "computer_call_output", "call_id": "h", "output": {}}
        case _ if word.isupper():
            return {"type": "function_call_output", "call_id": word.lower(), "output": "done"}
        case _:
            return {"type": "function_call", "call_id": word, "name": "f", "arguments": "{}"}


def items(words: str) -> list[Item]:
    return [item(word) for word in words]


def earlier(waiting: str = "", answered: str = "") -> PrecedingCalls:
    """What came before: calls that wait, and calls that were answered."""
    left = tuple(cancelled(item(word)) for word in waiting)
    return PrecedingCalls(lambda name: name in waiting, lambda name: name in answered, left)


def spelled(told: list[Item]) -> str:
    """Read items back; an answer that somebody was cancelled is `!`."""
    return "".join(
        "!"
        if each.get("output") == CANCELLED
        else each["call_id"].upper()
        if is_answer(each)
        else each.get("call_id") or each.get("content", "r")
        for each in told
    )


def mistake(words: str, before: PrecedingCalls | None = None) -> tuple[str | None, str]:
    """Say what is wrong: the place, and the words."""
    failure = unpaired(items(words), before) if before else unpaired(items(words))
    assert failure is None or (failure.http_status, failure.code) == (400, "invalid_value")
    return (failure.param, failure.message) if failure else (None, "")


@pytest.mark.parametrize(
    ("words", "missing"),
    [
        ("uabABs", None),
        ("uabBAs", None),
        ("uaAbBs", None),
        ("uabAu", "b"),
        ("uabBs", "a"),
        ("uabA", "b"),
        ("urasbAu", "b"),
        ("ucabAu", "c"),
        ("uahA", None),
        # None of those that were made together: they were cancelled.
        ("uabu", None),
        ("uaAbu", None),
        ("uab", None),
        # Late, but there.
        ("uabuAB", None),
        # An id that is used again: the answer belongs to the newest of its calls.
        ("uauaA", None),
        ("uaAuaA", None),
        ("uaaA", "a"),
        ("", None),
    ],
)
def test_half_an_answer_is_found_and_names_what_is_missing(words: str, missing: str | None) -> None:
    said = f"No tool output found for function call {missing}."
    assert mistake(words) == (("input", said) if missing else (None, ""))


@pytest.mark.parametrize(
    ("words", "place", "call"),
    [("uAa", 1, 2), ("Aua", 0, 2), ("uAaA", 1, 2), ("uBaAb", 1, 4), ("Hh", 0, 1), ("uABab", 1, 3)],
)
def test_an_answer_before_its_call_is_refused_with_both_places(
    words: str, place: int, call: int
) -> None:
    param, said = mistake(words)
    assert param == f"input[{place}]"
    assert f"call {items(words)[place]['call_id']}" in said
    assert f"input[{call}]" in said


@pytest.mark.parametrize(
    ("words", "place"), [("uaAA", 3), ("uaAuA", 4), ("uabABuB", 6), ("uaAbBAu", 5), ("hHH", 2)]
)
def test_a_second_answer_is_refused_with_its_place(words: str, place: int) -> None:
    param, said = mistake(words)
    assert param == f"input[{place}]"
    assert f"second output for the call {items(words)[place]['call_id']}" in said


@pytest.mark.parametrize(
    ("words", "before", "param"),
    [
        ("A", earlier("a"), None),
        ("uA", earlier("a"), None),
        ("A", earlier("", "a"), "input[0]"),
        ("uAA", earlier("a"), "input[2]"),
        ("uA", earlier("ab"), "input"),
        ("uAB", earlier("ab"), None),
        ("u", earlier("ab"), None),
        ("Z", earlier("a"), "input"),
        ("AaA", earlier("a"), None),
        ("uaA", earlier("a"), None),
        ("aA", earlier("", "a"), None),
        # Only the backend knows its call.
        ("H", earlier("a"), None),
    ],
)
def test_what_came_before_counts(words: str, before: PrecedingCalls, param: str | None) -> None:
    assert mistake(words, before)[0] == param


def test_the_place_is_that_in_what_the_client_sent() -> None:
    failure = unpaired(items("aAA"), places=[2, 3, 7])
    assert failure is not None
    assert failure.param == "input[7]"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("uabu", "uab!!u"),
        ("uabrsu", "uab!!rsu"),
        ("uaAbu", "uaAb!u"),
        ("uab", "uab!!"),
        ("uabAB", "uabAB"),
        ("uabuAB", "uabABu"),
        ("uauA", "uaAu"),
        ("uabuBsA", "uabBAus"),
        ("uabAbuB", "uabA!bBu"),
        ("uasA", "uasA"),
        ("uarsuA", "uarsAu"),
        ("uabAcBC", "uabABcC"),
        ("uauaA", "ua!uaA"),
        ("uahuHA", "uahHAu"),
    ],
)
def test_answers_stand_behind_their_calls_and_those_left_open_are_cancelled(
    words: str, told: str
) -> None:
    assert spelled(paired(items(words), goes_on=True)) == told


@pytest.mark.parametrize(
    ("words", "told"), [("uA", "Au"), ("u", "!u"), ("uBA", "BAu"), ("", "!"), ("uaA", "!uaA")]
)
def test_answers_to_earlier_calls_come_first(words: str, told: str) -> None:
    before = earlier("ab" if "B" in words else "a")
    assert spelled(paired(items(words), before, goes_on=True)) == told


def test_calls_at_the_end_wait_where_nothing_goes_on() -> None:
    assert spelled(paired(items("uaub"), goes_on=False)) == "ua!ub"


def test_answers_to_nothing_are_left_out() -> None:
    assert spelled(paired(items("AuaAAZH"), goes_on=True)) == "uaAH"


def is_models(told: Item) -> bool:
    return told["type"] in ("reasoning", "computer_call") or told.get("role") == "assistant"


@given(st.permutations("usraabbAABB") | st.text("abcABCusrhH", max_size=12).map(list))
def test_whatever_is_not_refused_has_every_call_with_its_answer_right_behind(
    words: list[str],
) -> None:
    given_items = items("".join(words))
    told = paired(given_items, goes_on=True)
    assert paired(told, goes_on=True) == told
    open_calls: list[str] = []
    for before, each in pairwise([item("u"), *told]):
        if is_call(before) or (is_answer(before) and open_calls):
            assert is_call(each) or is_answer(each) or is_models(each)
        if is_call(each):
            # Those that were made in one go are answered before there is another.
            assert not (open_calls and is_answer(before))
            open_calls.append(each["call_id"])
        elif each["type"] == "function_call_output":
            open_calls.remove(each["call_id"])
    assert not open_calls
    if unpaired(given_items) is None:
        assert unpaired(told) is None
        # Nothing is lost or changed, only moved.
        kept = [each for each in told if each.get("output") != CANCELLED]
        assert sorted(map(str, kept)) == sorted(map(str, given_items))
        rest = [each for each in kept if not is_answer(each)]
        assert rest == [each for each in given_items if not is_answer(each)]
