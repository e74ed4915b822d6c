"""A token gives the same steps each time: in this process, in another one, with other hashes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulation.run import run_token
from simulation.schedule import drawn

pytestmark = pytest.mark.simulation

_ROOT = Path(__file__).parents[2]
_SEEDS = range(40, 60)
_PROGRAM = """
from simulation.run import run_token, simulating
from simulation.schedule import drawn
with simulating():
    for seed in range(40, 60):
        outcome = run_token(drawn(seed).token)
        print(outcome.digest, outcome.steps)
"""


def test_twice_in_one_process() -> None:
    for seed in _SEEDS:
        token = drawn(seed).token
        assert run_token(token) == run_token(token)


def test_in_other_processes_with_other_hashes() -> None:
    here = [(each.digest, each.steps) for each in (run_token(drawn(seed).token) for seed in _SEEDS)]
    for hash_seed in ("1", "4711"):
        assert _elsewhere(hash_seed) == here


def _elsewhere(hash_seed: str) -> list[tuple[int, int]]:
    env = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(_ROOT / "tests")}
    told = subprocess.run(
        [sys.executable, "-c", _PROGRAM], env=env, capture_output=True, text=True, check=True
    )
    lines = (line.split() for line in told.stdout.splitlines())
    return [(int(digest), int(steps)) for digest, steps in lines]


def test_steps_are_told_in_words() -> None:
    told: list[str] = []
    run_token("r1t1f0s1", told.append)
    assert any("client 0 asks for" in line for line in told)
    assert any("log 1:" in line for line in told)
