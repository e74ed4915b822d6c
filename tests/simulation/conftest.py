"""What the tests of the simulation share."""

from collections.abc import Generator

import pytest

from simulation.run import simulating


@pytest.fixture(scope="module", autouse=True)
def simulation() -> Generator[None]:
    """Let schedules run, and leave the product as it was."""
    with simulating():
        yield
