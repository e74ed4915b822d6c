"""Each fault of the short form: clients at work, a fault, and the same oracle for all."""

import pytest

from chaos.faults.scenarios import SCENARIOS
from chaos.faults.system import System
from chaos.faults.trial import tried

pytestmark = [pytest.mark.chaos, pytest.mark.asyncio(loop_scope="session")]

SEED = 13
SHORT = {name: each.short_s for name, each in SCENARIOS.items() if each.short_s is not None}


@pytest.mark.parametrize("name", SHORT)
async def test_nothing_is_lost_and_all_is_well_soon_after(system: System, name: str) -> None:
    if reason := SCENARIOS[name].cannot_run(system):
        pytest.skip(reason)
    verdict = await tried(system, name, SCENARIOS[name], seconds=SHORT[name], seed=SEED)
    assert verdict.is_good, str(verdict)
