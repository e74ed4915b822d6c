"""What the guard can be told, and the policy file that one of the settings names."""

from functools import cached_property
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from turnwire_chassis.settings import ServiceSettings, read_file
from turnwire_guard.policy import NO_POLICY, Policy, parse_policy
from turnwire_guard.policy_file import SETTING


class GuardSettings(ServiceSettings):
    """The settings of the guard; whoever holds them has a policy that is valid."""

    guard_policy: Path | None = Field(
        default=None,
        description="The YAML file that says what the guard checks; unset: everything may pass. "
        "It is read again when it changes.",
    )
    guard_timeout_s: float = Field(
        default=10.0, gt=0, description="Seconds that a check may take, waiting included."
    )
    guard_max_checks: int = Field(
        default=64, ge=1, description="How many checks one guard works on at once."
    )
    guard_max_waiting: int = Field(
        default=256,
        ge=0,
        description="How many checks may wait for that; what comes after is refused at once.",
    )
    guard_cache_entries: int = Field(
        default=0,
        ge=0,
        description="How many verdicts a guard remembers, by a hash of the content and the "
        "policy's version; 0: none.",
    )

    @cached_property
    def policy(self) -> Policy:
        """The policy, read once. Raises SettingsError."""
        if self.guard_policy is None:
            return NO_POLICY
        return read_file(SETTING, self.guard_policy, parse_policy)

    @model_validator(mode="after")
    def _refuse_a_bad_policy(self) -> Self:
        # Here and not in `serve`: the run loop turns what is wrong with settings into exit code 2.
        _ = self.policy
        return self
