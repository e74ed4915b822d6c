"""The settings of the guard, and the policy file that one of them names."""

from functools import cached_property
from typing import Self

from pydantic import Field, model_validator

from turnwire_chassis.settings import GuardPolicySettings, read_file
from turnwire_guard.policy import NO_POLICY, GuardPolicy, parse_policy
from turnwire_guard.policy_file import SETTING


class GuardSettings(GuardPolicySettings):
    """Settings of the guard. Making them raises `SettingsError` for a policy that is not valid."""

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
    def policy(self) -> GuardPolicy:
        """The policy, read once; without a file, one that lets everything pass.

        Raises `SettingsError` if the file cannot be read or is no policy.
        """
        if self.guard_policy is None:
            return NO_POLICY
        return read_file(SETTING, self.guard_policy, parse_policy)

    @model_validator(mode="after")
    def _refuse_a_bad_policy(self) -> Self:
        # Here and not in `serve`: the run loop turns what is wrong with settings into exit code 2.
        _ = self.policy
        return self
