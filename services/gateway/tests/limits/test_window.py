"""A sliding window: what it promises, for any uses at any times."""

from hypothesis import given
from hypothesis import strategies as st

from turnwire_gateway.limits.window import (
    PARTS,
    Uses,
    added,
    all_back_at,
    recent,
    room_at,
    total,
)

SPANS = st.sampled_from([60, 600, 6_000, 60_000, 100, 7])
PAUSES = st.one_of(st.integers(0, 900), st.integers(59_000, 60_500), st.integers(0, 40_000))
STEPS = st.lists(st.tuples(PAUSES, st.integers(1, 5)), max_size=60)
"""Pauses before an attempt, in milliseconds, and how much it asks for."""


def attempts(
    steps: list[tuple[int, int]], limit: int, span: int
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Let in what has room; gives what was let in and what was not, with its time."""
    uses: Uses = ()
    now = 0
    passed: list[tuple[int, int]] = []
    refused: list[tuple[int, int]] = []
    for pause, amount in steps:
        now += pause * span // 60_000
        uses = recent(uses, now, span)
        if total(uses) + amount <= limit:
            uses = added(uses, now, amount, span)
            passed.append((now, amount))
        else:
            refused.append((now, amount))
    return passed, refused


def within(passed: list[tuple[int, int]], after: int, until: int) -> int:
    """Count what was let in later than `after` and not later than `until`."""
    return sum(amount for at, amount in passed if after < at <= until)


@given(STEPS, st.integers(1, 12), SPANS)
def test_no_span_of_time_ever_has_more_than_the_limit(
    steps: list[tuple[int, int]], limit: int, span: int
) -> None:
    passed, _ = attempts(steps, limit, span)
    assert all(within(passed, at - span, at) <= limit for at, _ in passed)


@given(STEPS, st.integers(1, 12), SPANS)
def test_what_is_refused_would_have_been_too_much_for_a_span_longer_by_a_sixtieth(
    steps: list[tuple[int, int]], limit: int, span: int
) -> None:
    passed, refused = attempts(steps, limit, span)
    part = max(1, span // PARTS)
    assert all(within(passed, at - span - part, at) + amount > limit for at, amount in refused)


@given(STEPS, st.integers(0, 12), SPANS)
def test_there_is_room_exactly_from_the_time_that_is_told(
    steps: list[tuple[int, int]], most: int, span: int
) -> None:
    uses: Uses = ()
    now = 0
    for pause, amount in steps:
        now += pause * span // 60_000
        uses = added(recent(uses, now, span), now, amount, span)
    when = room_at(uses, most, span)
    assert total(recent(uses, max(now, when), span)) <= most
    if when:
        assert now < when <= now + span
        assert total(recent(uses, when - 1, span)) > most
    assert recent(uses, max(now, all_back_at(uses, span)), span) == ()


@given(STEPS, SPANS)
def test_however_much_is_used_little_is_kept(steps: list[tuple[int, int]], span: int) -> None:
    uses: Uses = ()
    now = 0
    for pause, amount in steps * 3:
        now += pause % 50 * span // 60_000
        uses = added(recent(uses, now, span), now, amount, span)
        assert len(uses) <= max(PARTS + 1, span + 1)


def test_uses_of_the_same_second_count_until_the_last_of_them_is_over() -> None:
    uses = added(added((), 60_100, 1, 60_000), 60_900, 1, 60_000)
    assert uses == ((60_900, 2),)
    assert total(recent(uses, 120_899, 60_000)) == 2
    assert total(recent(uses, 120_900, 60_000)) == 0
