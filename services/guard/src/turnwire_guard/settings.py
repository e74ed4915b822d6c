"""What the guard can be told, and the policy file that one of the settings names."""

from functools import cached_property
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from turnwire_chassis.settings import ServiceSettings, SettingsError
from turnwire_guard.policy import NO_POLICY, Policy, parse_policy
from turnwire_guard.yaml_place import PlaceError


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
        try:
            text = self.guard_policy.read_text(encoding="utf-8")
            return parse_policy(text, str(self.guard_policy))
        except PlaceError as error:
            raise SettingsError(str(error)) from error
        except OSError as error:
            raise _unreadable(self.guard_policy, error.strerror or str(error)) from error
        except UnicodeDecodeError as error:
            raise _unreadable(self.guard_policy, "it is not UTF-8") from error

    @model_validator(mode="after")
    def _refuse_a_bad_policy(self) -> Self:
        # Here and not in `serve`: the run loop turns what is wrong with settings into exit code 2.
        _ = self.policy
        return self


def _unreadable(path: Path, reason: str) -> SettingsError:
    return SettingsError(f"TURNWIRE_GUARD_POLICY: {path} cannot be read: {reason}")
