"""What the guard can be told, and the policy file that one of the settings names."""

from functools import cached_property
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from turnwire_chassis.settings import ServiceSettings, read_file
from turnwire_guard.policy import NO_POLICY, Policy, parse_policy


class GuardSettings(ServiceSettings):
    """The settings of the guard; whoever holds them has a policy that is valid."""

    guard_policy: Path | None = Field(
        default=None,
        description="The YAML file that says what the guard checks; unset: everything may pass.",
    )

    @cached_property
    def policy(self) -> Policy:
        """The policy, read once. Raises SettingsError."""
        if self.guard_policy is None:
            return NO_POLICY
        return read_file("TURNWIRE_GUARD_POLICY", self.guard_policy, parse_policy)

    @model_validator(mode="after")
    def _refuse_a_bad_policy(self) -> Self:
        # Here and not in `serve`: the run loop turns what is wrong with settings into exit code 2.
        _ = self.policy
        return self
