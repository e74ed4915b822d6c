"""The laws of the breaker, whatever happens to it."""

from hypothesis import given
from hypothesis import strategies as st

from turnwire_chassis.circuit_breaker import Breaker, BreakerRules

RULES = BreakerRules(failures=3, open_s=10)

_STEPS = st.lists(
    st.tuples(st.sampled_from(["failed", "succeeded"]), st.floats(0, 20)), max_size=40
)


@given(_STEPS)
def test_it_is_open_only_after_so_many_failures_in_a_row_and_not_for_long(
    steps: list[tuple[str, float]],
) -> None:
    breaker, now, row, last = Breaker(RULES), 0.0, 0, 0.0
    for what, wait in steps:
        now += wait
        if breaker.is_open(now):
            assert row >= RULES.failures
            assert now < last + RULES.open_s
            continue
        assert row < RULES.failures or now >= last + RULES.open_s
        breaker = breaker.passed(now)
        if what == "failed":
            breaker, row, last = breaker.failed(now), row + 1, now
        else:
            breaker, row = breaker.succeeded(), 0


@given(st.integers(0, 9), st.floats(0, 1e6))
def test_a_success_makes_it_new(failures: int, now: float) -> None:
    breaker = Breaker(RULES)
    for _ in range(failures):
        breaker = breaker.failed(now)

    assert breaker.succeeded() == Breaker(RULES)


def test_one_probe_passes_when_it_has_been_open_long_enough() -> None:
    breaker = Breaker(RULES, failures=3, open_until=10)

    assert breaker.is_open(9.9)
    assert not breaker.is_open(10)
    probed = breaker.passed(10)
    assert probed.is_open(10)
    assert probed.is_open(19.9)


def test_a_probe_that_never_reports_is_followed_by_another() -> None:
    probed = Breaker(RULES, failures=3, open_until=10).passed(10)

    assert not probed.is_open(20)


def test_a_probe_that_fails_opens_it_again() -> None:
    failed = Breaker(RULES, failures=3, open_until=10).passed(10).failed(15)

    assert failed.is_open(24.9)
    assert not failed.is_open(25)


def test_whoever_passes_a_closed_one_changes_nothing() -> None:
    breaker = Breaker(RULES, failures=2, open_until=10)

    assert breaker.passed(5) is breaker
    assert not breaker.is_open(5)
