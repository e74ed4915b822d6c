"""How many members of each service run: `gateway=2,orchestrator=3`, or `auto` for this machine."""

import os
from collections.abc import Mapping
from math import ceil
from typing import Final

from turnwire_dev.components.members import (
    GATEWAY,
    GUARD,
    MODULES,
    ORCHESTRATOR,
    STORE,
    TOOL_RUNNER,
)

AUTO: Final = "auto"
"""Use every core that this process may run on."""

MOST: Final = 64

_CORES_A_MEMBER: Final[Mapping[str, float]] = {GATEWAY: 3, ORCHESTRATOR: 1.5, TOOL_RUNNER: 4}
"""A member is one busy core at most. An orchestrator takes 1.5 times a gateway's CPU for a turn
(`bench/RESULTS.md`), and the rest is the broker's, the database's and the store's. Guard and store
stay alone: the guard is idle without a policy, and one store projects however many there are."""

_EXAMPLE: Final = f"write {GATEWAY}=2,{ORCHESTRATOR}=3, or {AUTO}"


def members(scale: str, cores: int | None = None) -> dict[str, int]:
    """Give the number of members of every service; one where `scale` does not say.

    `cores`: for `auto`, those of this process if not said.
    Raises `ValueError` that names what cannot be and the way out.
    """
    if scale.strip() == AUTO:
        usable = len(os.sched_getaffinity(0)) if cores is None else cores
        return {name: _for_cores(name, usable) for name in MODULES}
    counts: dict[str, int] = {}
    for entry in filter(None, (each.strip() for each in scale.split(","))):
        name, _, number = (part.strip() for part in entry.partition("="))
        if name not in MODULES:
            raise ValueError(f"{name!r} is no service: {_EXAMPLE}; there are {', '.join(MODULES)}")
        if name in counts:
            raise ValueError(f"{name} is said twice: {_EXAMPLE}")
        if not (number.isascii() and number.isdigit() and 1 <= int(number) <= MOST):
            raise ValueError(f"{name}={number} must be a whole number from 1 to {MOST}: {_EXAMPLE}")
        counts[name] = int(number)
    return {name: counts.get(name, 1) for name in MODULES}


def member_names(service: str, count: int) -> tuple[str, ...]:
    """Name the members of one service: the first has the service's own name."""
    return (service, *(f"{service}-{number}" for number in range(2, count + 1)))


def in_words(scale: Mapping[str, int]) -> str:
    """Say which services have several members; empty when none has."""
    return ", ".join(f"{name} x {count}" for name, count in scale.items() if count > 1)


def _for_cores(service: str, cores: int) -> int:
    if service in (GUARD, STORE):
        return 1
    return min(MOST, max(1, ceil(cores / _CORES_A_MEMBER[service])))
