"""The laws hold on simulated schedules; `make simulate` runs many more of them."""

import os

import pytest

from simulation.run import Outcome, replay_command, run_seeds, run_token
from simulation.schedule import Schedule, drawn, parse

pytestmark = pytest.mark.simulation

SCHEDULES = int(os.environ.get("TURNWIRE_SIMULATED_SCHEDULES", "300"))
_PARTS = 6

FOUND = {
    "c3t3f2s157": "a step of the limits was charged again, as its confirmation was lost",
    "c3t2f2s121": "a request was appended again behind the end of its turn",
    "r1t2f4s227": "a claim was made that was decided on an old log",
    "r1t2f4s62": "a reader got frames of two owners that did not know of one another",
    "r1t2f1s3349": "an owner that was frozen woke up and told frames before its successor did",
    "r1t1f4s8084": "the same, after it had told some before",
    "c3t2f3s4714": "frames of a lost owner lay in the network until its successor had the turn",
    "c3t2f3s5881": "a stream whose new owner refused the turn ended without a terminal event",
    "c3t1f3s2068": "an owner took its own append for another owner's, when the turn was cancelled "
    "before that was confirmed",
    "c3t1f4s6612ju": "the reader of an unstored turn whose end the broker lost waited for the "
    "turn's time limit",
    "r1t2f2s14073p": "a reader went on behind its place in frames that the broker had lost: it was "
    "given those of two owners",
}
"""Schedules that found something in the product; each has a plain test beside its code."""


@pytest.mark.parametrize("part", range(_PARTS))
def test_the_laws_hold(part: int) -> None:
    failed = [each for each in run_seeds(range(1 + part, 1 + SCHEDULES, _PARTS)) if each.law]
    assert not failed, "\n".join(map(_told, failed))


@pytest.mark.parametrize("token", FOUND)
def test_what_was_found_once_holds(token: str) -> None:
    outcome = run_token(token)
    assert not outcome.law, _told(outcome)


def test_a_token_says_the_whole_schedule() -> None:
    for seed in range(200):
        schedule = drawn(seed)
        assert parse(schedule.token) == schedule
    left_out = Schedule(4, clustered=True, chats=2, most_faults=3, without=(0, 2))
    assert parse(left_out.token) == left_out
    assert [left_out.faults[0]] == parse("c3t2f3s4").faults[1:2]


def test_what_is_no_token_is_refused() -> None:
    with pytest.raises(ValueError, match="no token of a schedule: 'r2t1'"):
        parse("r2t1")


def _told(outcome: Outcome) -> str:
    return f"{outcome.detail}\n    {replay_command(outcome.token)}"
