"""A response's time is over at one instant, for everybody."""

from hypothesis import given
from hypothesis import strategies as st

from turnwire_chassis.retention import (
    DAY_MS,
    KEEPS_ALL,
    Retention,
    counted_from,
    retention_of,
)
from turnwire_testing.examples import AT, CONVERSATION_ID, requested

moments = st.integers(0, 2**45)


@given(moments, st.integers(0, 2**40), moments)
def test_the_time_is_over_from_one_instant_on(since: int, kept: int, now: int) -> None:
    assert Retention(kept, lambda: now).is_over(since) == (now - since >= kept)


@given(moments, moments)
def test_what_is_kept_for_ever_is_never_over(since: int, now: int) -> None:
    assert not retention_of(0, lambda: now).is_over(since)
    assert not KEEPS_ALL.is_over(since)
    assert not Retention(0, lambda: now).is_over(None)


def test_days_may_be_fractions() -> None:
    assert retention_of(0.5, lambda: 0).kept_ms == DAY_MS // 2


def test_what_is_in_a_conversation_has_no_end() -> None:
    assert counted_from(requested()) == AT
    assert counted_from(requested(conversation=CONVERSATION_ID)) is None
