"""When an event is tried again, and when it is given up."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_tool_runner.webhooks.retrying import (
    Attempt,
    Result,
    busy_s,
    next_attempt_s,
    read_answer,
)

DAYS_S = 72 * 3600.0
NOW_S = 1_700_000_000.0
REFUSED = Attempt("refused", "HTTP 500")
CHANCES = st.floats(0, 1)


@pytest.mark.parametrize(
    ("status", "result"),
    [(200, "delivered"), (204, "delivered"), (299, "delivered"), (302, "refused"), (308, "refused"),
     (400, "refused"), (404, "refused"), (410, "gone"), (429, "refused"), (503, "refused")],
)  # fmt: skip
def test_only_a_success_is_taken_for_one(status: int, result: Result) -> None:
    assert read_answer(status, {}, NOW_S).result == result


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("120", 120), (" 7 ", 7), ("soon", None), ("-5", None), ("٣", None),
     (format_datetime(datetime.fromtimestamp(NOW_S + 60, UTC), usegmt=True), 60),
     (format_datetime(datetime.fromtimestamp(NOW_S - 60, UTC), usegmt=True), 0)],
)  # fmt: skip
def test_a_receiver_says_when_it_wants_to_be_asked_again(value: str, seconds: float | None) -> None:
    assert read_answer(503, {"retry-after": value}, NOW_S).retry_after_s == seconds


@given(CHANCES, st.floats(0, DAYS_S - 1))
def test_the_next_attempt_is_never_before_now_nor_after_the_end(
    chance: float, age_s: float
) -> None:
    delay_s = next_attempt_s(REFUSED, age_s, DAYS_S, chance)
    assert delay_s is not None
    assert 0 < delay_s <= DAYS_S - age_s


@given(st.lists(CHANCES, min_size=200, max_size=200))
def test_an_event_is_tried_some_thirty_times_and_at_last_when_its_time_is_over(
    chances: list[float],
) -> None:
    ages = [0.0]
    for chance in chances:
        delay_s = next_attempt_s(REFUSED, ages[-1], DAYS_S, chance)
        if delay_s is None:
            break
        ages.append(ages[-1] + delay_s)
    assert ages[-1] == pytest.approx(DAYS_S)
    assert 15 <= len(ages) <= 70
    assert ages[1] <= 3


@given(CHANCES, st.floats(0, DAYS_S - 1), st.floats(0, 10 * DAYS_S))
def test_a_receiver_can_ask_for_patience_but_not_for_ever(
    chance: float, age_s: float, wanted_s: float
) -> None:
    asked = Attempt("refused", "HTTP 429", wanted_s)
    delay_s = next_attempt_s(asked, age_s, DAYS_S, chance)
    assert delay_s is not None
    assert delay_s >= min(wanted_s, 6 * 3600, DAYS_S - age_s)
    assert delay_s <= max(9 * 3600, 0)


@pytest.mark.parametrize("result", ["gone", "forbidden"])
def test_what_another_attempt_cannot_change_is_given_up_at_once(result: Result) -> None:
    assert next_attempt_s(Attempt(result, ""), 0, DAYS_S, 0.5) is None


@given(CHANCES, st.floats(0, DAYS_S))
def test_an_event_without_a_place_looks_again_within_ten_minutes(
    chance: float, age_s: float
) -> None:
    assert 1 <= busy_s(age_s, chance) <= 600
