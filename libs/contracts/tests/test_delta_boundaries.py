"""A text and its cuts give back the deltas that it was told in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts.wire.delta_boundaries import split, written


def _repeated(letter: str, times: int) -> str:
    return letter * times


short = st.text(min_size=1, max_size=6)
long = st.builds(_repeated, st.characters(), st.integers(60, 5000))
pieces = st.lists(short | long, max_size=12)


@given(pieces)
def test_a_text_splits_again_into_the_pieces_it_was_told_in(told: list[str]) -> None:
    cuts = written(len(piece) for piece in told)
    assert [delta for delta, _ in split("".join(told), cuts)] == told


@given(st.lists(st.tuples(st.text(max_size=6), st.integers(0, 70)), max_size=12))
def test_what_each_piece_carried_is_told_again(told: list[tuple[str, int]]) -> None:
    cuts = written((len(piece) for piece, _ in told), (count for _, count in told))
    assert list(split("".join(piece for piece, _ in told), cuts)) == told


@given(st.lists(st.integers(0, 63), max_size=40))
def test_a_short_delta_costs_one_character(lengths: list[int]) -> None:
    assert len(written(lengths)) == len(lengths)


def test_lengths_are_written_in_the_letters_that_recorded_logs_hold() -> None:
    assert written([0, 1, 26, 52, 62, 63, 64, 1000]) == "ABa0-_(64)(1000)"


def test_a_text_without_cuts_is_one_delta() -> None:
    assert list(split("hello", "")) == [("hello", 0)]


def test_an_empty_text_has_no_delta() -> None:
    assert list(split("", "")) == []


@pytest.mark.parametrize("cuts", ["B", "BBBB", "(9)", "AA"])
def test_cuts_of_another_text_are_refused(cuts: str) -> None:
    with pytest.raises(ValueError, match="cuts cover"):
        list(split("abc", cuts))
