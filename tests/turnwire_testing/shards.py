"""Which tests run on one worker of pytest-xdist: those of one stack, or else of one module.

A stack of the session or a module's fixture is so started once, and not by each worker; brokers and
databases that all tests of a session share are each worker's own.
"""

import os
from pathlib import PurePath

import pytest

WORKERS_PER_CORE = {"auto": 2, "logical": 1}
"""By what `-n` says: tests of processes wait for much of their time, unit tests do not."""

FIRST = (
    "tests/cluster/",
    "tests/e2e/",
    "tests/conformance/",
    "tests/clients/",
    "tests/tool_servers/",
    "tests/documentation/",
    "deploy/",
    "services/",
    "libs/",
)
"""The long ones: what begins last ends last."""

STACKS = ("fragile_stack", "stack", "conformance_stack", "impatient_stack")
"""Fixtures that start a whole Turnwire for a session; a test of two belongs to the first."""


def workers(wanted: str) -> int:
    """Give how many workers `-n auto` or `-n logical` means on this machine."""
    return (os.cpu_count() or 1) * WORKERS_PER_CORE[wanted]


def share_out(items: list[pytest.Item]) -> None:
    """Name each test's group where pytest-xdist looks for it; long groups go first."""
    shards = {item: shard_of(item) for item in items}
    items.sort(key=lambda item: _rank(shards[item]))
    for item, shard in shards.items():
        # pytest-xdist 3.8 does this for a mark, but writes a field that pytest 9.2 no longer reads.
        item._id = type(item.id).parse(f"{item.nodeid}@{shard}")  # pyright: ignore[reportPrivateUsage]


def shard_of(item: pytest.Item) -> str:
    """Give the name of a test's group."""
    module = item.nodeid.split("::")[0]
    if isinstance(item, pytest.Function):
        for name in STACKS:
            # A module that has a fixture of that name starts a stack of its own.
            if name in item.fixturenames and not hasattr(item.module, name):
                return str(PurePath(module).parent / name)
    return module


def _rank(shard: str) -> int:
    return next((rank for rank, prefix in enumerate(FIRST) if shard.startswith(prefix)), len(FIRST))
