"""The capacity model: sums that must hold whatever was measured."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.capacity import Costs, Load, measured_costs, needs, parse, table
from bench.processes import SERVICES

NAMES = (*SERVICES, "nats", "mongo")
COSTS = Costs(
    turn_ms=dict.fromkeys(NAMES, 1.0),
    token_ms=dict.fromkeys(NAMES, 0.01),
    call_ms={"tool-runner": 5.0},
    memory_mib=dict.fromkeys(NAMES, 100.0),
    log_bytes=1000.0,
    document_bytes=2000.0,
)
LOAD = Load(turns=100, tokens=100, calls=0.2, utilisation=0.5)


def test_a_load_worked_out_by_hand() -> None:
    needed = needs(LOAD, COSTS)
    assert needed.cores["gateway"] == pytest.approx(100 * (1 + 100 * 0.01) / 1000)
    assert needed.cores["tool-runner"] == pytest.approx(100 * (1 + 1 + 0.2 * 5) / 1000)
    assert needed.members["gateway"] == 1
    assert needed.members["tool-runner"] == 1
    assert needed.open_streams == pytest.approx(100 * 100 * 0.02)
    assert needed.appends == pytest.approx(100 * (2 + 0.2 * 3))
    assert needed.log_gib == pytest.approx(100 * 86_400 * 30 * 1000 * 3 / 1024**3)
    assert needed.limits == ()


@given(st.floats(0.1, 10_000), st.floats(1, 20))
def test_more_turns_never_need_less(turns: float, factor: float) -> None:
    less = needs(replace(LOAD, turns=turns), COSTS)
    more = needs(replace(LOAD, turns=turns * factor), COSTS)
    assert all(more.cores[name] >= less.cores[name] for name in NAMES)
    assert all(more.members[name] >= less.members[name] for name in SERVICES)
    assert len(more.limits) >= len(less.limits)


@given(st.floats(0.1, 10_000))
def test_no_member_is_busier_than_was_allowed(turns: float) -> None:
    needed = needs(replace(LOAD, turns=turns), COSTS)
    for name in SERVICES:
        assert needed.cores[name] / needed.members[name] <= LOAD.utilisation + 1e-9


def test_what_one_cluster_and_one_store_cannot_do_is_said() -> None:
    limits = needs(replace(LOAD, turns=100_000), COSTS).limits
    assert "appends a second are more than one NATS cluster's" in limits[0]
    assert "the one store that projects would need 100.0 cores" in limits[1]


def test_the_recorded_figures_are_enough_for_a_table() -> None:
    costs = measured_costs()
    assert set(SERVICES) <= set(costs.turn_ms)
    assert costs.token_ms["gateway"] > 0
    rows = table([needs(load, costs) for load in parse(["--turns", "10", "1000"])]).splitlines()
    assert rows[0] == "| turns a second | 10 | 1,000 |"
    assert {row.count("|") for row in rows} == {4}


def test_responses_that_are_kept_for_ever_have_no_size() -> None:
    assert needs(replace(LOAD, retention_days=0), COSTS).log_gib == float("inf")
