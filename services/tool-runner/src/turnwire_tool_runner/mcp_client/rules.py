"""The limits of the adapter, which settings name before the SDK is loaded."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SessionRules:
    """How many are kept, and how long."""

    most: int
    idle_s: float


@dataclass(frozen=True, slots=True)
class McpRules:
    """Limits of the adapter."""

    sessions: SessionRules
    list_max_age_s: float
    """How old a list of tools may be that a call is checked against."""
    max_output_bytes: int
