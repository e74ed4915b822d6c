"""The simulation finds what is broken: each seeded bug, within a bounded number of schedules."""

import pytest

from simulation.mutants import MUTANTS, Mutant, mutated
from simulation.run import Outcome, run, run_token
from simulation.schedule import Schedule

pytestmark = pytest.mark.simulation

MOST_SCHEDULES = 400
"""Within so many a bug must be found; most are within a few."""


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda each: each.name)
def test_a_seeded_bug_is_found(mutant: Mutant) -> None:
    with mutated(mutant):
        found = hunted(mutant)
    assert found is not None
    # The same schedule without the bug: it is the bug that was found.
    assert not run_token(found.token).law


def hunted(mutant: Mutant) -> Outcome | None:
    """Give the first schedule that breaks a law."""
    for seed in range(mutant.first, mutant.first + MOST_SCHEDULES):
        outcome = run(Schedule(seed, mutant.clustered, 2, mutant.faults, mutant.extras))
        if outcome.law:
            return outcome
    return None
