"""Calls and their answers in what a client sends: all, none, and never half."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts.events import Item
from turnwire_contracts.rounds.pairing import (
    CANCELLED,
    half_answered,
    is_answer,
    is_call,
    with_cancelled,
)


def item(word: str) -> Item:
    """Read `a` (a call), `A` (its answer), `u`, `s` (a user, a model says something), `r`."""
    match word:
        case "u" | "s":
            role = "user" if word == "u" else "assistant"
            return {"type": "message", "role": role, "content": word}
        case "r":
            return {"type": "reasoning", "summary": []}
        case _ if word.isupper():
            return {"type": "function_call_output", "call_id": word.lower(), "output": "done"}
        case _:
            return {"type": "function_call", "call_id": word, "name": "f", "arguments": "{}"}


def items(words: str) -> list[Item]:
    return [item(word) for word in words]


def spelled(told: list[Item]) -> str:
    """Read items back; an answer that somebody was cancelled is `!`."""
    return "".join(
        "!"
        if each.get("output") == CANCELLED
        else each["call_id"].upper()
        if is_answer(each)
        else each["call_id"]
        if is_call(each)
        else each.get("content", "r")
        for each in told
    )


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
        # None of those that were made together: they were cancelled.
        ("uabu", None),
        ("uaAbu", None),
        ("uab", None),
        # Late, but there.
        ("uabuAB", None),
        ("", None),
    ],
)
def test_half_an_answer_is_found_and_names_what_is_missing(words: str, missing: str | None) -> None:
    assert half_answered(items(words)) == missing


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("uabu", "uab!!u"),
        ("uabrsu", "uab!!rsu"),
        ("uaAbu", "uaAb!u"),
        ("uab", "uab!!"),
        ("uabAB", "uabAB"),
        ("uabuAB", "uabuAB"),
    ],
)
def test_what_was_left_open_is_told_as_cancelled_right_behind_its_calls(
    words: str, told: str
) -> None:
    assert spelled(with_cancelled(items(words), goes_on=True)) == told


def test_calls_at_the_end_wait_where_nothing_goes_on() -> None:
    assert spelled(with_cancelled(items("uaub"), goes_on=False)) == "ua!ub"


@given(st.text("abcABCusr", max_size=12))
def test_afterwards_every_call_is_answered_and_nothing_else_has_changed(words: str) -> None:
    given_items = items(words)
    told = with_cancelled(given_items, goes_on=True)
    answered = {each.get("call_id") for each in told if is_answer(each)}
    assert {each["call_id"] for each in told if is_call(each)} <= answered
    assert [each for each in told if each.get("output") != CANCELLED] == given_items
    assert with_cancelled(told, goes_on=True) == told
    if half_answered(given_items) is None:
        assert half_answered(told) is None
