"""The arithmetic of restarts, and what can be told of it."""

import pytest

from turnwire_chassis.settings import SettingsError, load
from turnwire_dev.settings import RunnerSettings
from turnwire_dev.supervision.restarts import ChildRun, Record, RestartRules

RULES = RestartRules()
SHORT = ChildRun(seconds=0.1, exit_code=1, was_ready=False)
USEFUL = ChildRun(seconds=0.1, exit_code=1, was_ready=True)
LONG = ChildRun(seconds=31, exit_code=1, was_ready=True)


def after(*lives: ChildRun) -> Record:
    record = Record()
    for life in lives:
        record = RULES.note(record, life)
    return record


def test_the_pause_doubles_with_each_death_and_stops_growing_at_ten_seconds() -> None:
    pauses = [RULES.pause(after(*[SHORT] * deaths)) for deaths in range(1, 9)]

    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]
    assert RULES.pause(after(*[SHORT] * 5000)) == 10.0


def test_after_half_a_minute_of_good_life_the_pause_is_short_again() -> None:
    assert RULES.pause(after(SHORT, SHORT, SHORT, LONG)) == 0.2


def test_a_child_that_never_worked_is_given_up_at_its_fifth_death() -> None:
    assert not RULES.is_hopeless(after(*[SHORT] * 4))
    assert RULES.is_hopeless(after(*[SHORT] * 5))


def test_a_child_that_worked_once_is_never_given_up() -> None:
    assert not RULES.is_hopeless(after(USEFUL, *[SHORT] * 50))


@pytest.mark.parametrize("told", ["0", "0.1", "-1", "301", "inf", "nan", "soon"])
def test_a_longest_pause_that_cannot_be_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    monkeypatch.setenv("TURNWIRE_MAX_RESTART_PAUSE_S", told)
    with pytest.raises(SettingsError, match=r"^TURNWIRE_MAX_RESTART_PAUSE_S: "):
        load(RunnerSettings)
