"""What is shown of one event of a turn that is told again."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chapter:
    """One event and what it leads to."""

    heading: str
    facts: list[str]
    state: str
    next_step: str
