"""What the orchestrator can be told of the lease of a turn."""

import pytest

from turnwire_chassis.settings import SettingsError, load
from turnwire_orchestrator.settings import OrchestratorSettings

LEASE = "TURNWIRE_TURN_LEASE_S"


@pytest.mark.parametrize(("told", "taken"), [("1", 1.0), ("2.5", 2.5), ("60", 60.0)])
def test_the_lease_of_a_turn_is_a_setting(
    monkeypatch: pytest.MonkeyPatch, told: str, taken: float
) -> None:
    monkeypatch.setenv(LEASE, told)
    assert load(OrchestratorSettings).turn_lease_s == taken


@pytest.mark.parametrize("told", ["0", "0.5", "-5", "61", "nan", "inf", "five", ""])
def test_a_lease_that_no_owner_could_hold_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    monkeypatch.setenv(LEASE, told)
    with pytest.raises(SettingsError, match=f"^{LEASE}: "):
        load(OrchestratorSettings)
