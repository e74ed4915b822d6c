"""Messages that nobody can use, on every subject, while clients work."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from chaos.faults.poison import poisoned_log, poisoned_subjects, publish_all, publish_to_log
from chaos.faults.processes import usage
from chaos.faults.system import System
from chaos.faults.trial import Scenario, tried
from turnwire_chassis.broker import connect, disconnect
from turnwire_contracts import subjects
from turnwire_contracts.ids import ResponseId
from turnwire_testing.waiting import eventually

pytestmark = [pytest.mark.chaos, pytest.mark.asyncio(loop_scope="session")]

EACH = 24
MOST_GROWTH_MIB = 48.0


async def test_poison_stops_nothing_and_is_kept_as_dead_letters(system: System) -> None:
    client = await connect(system.broker_url, "test")
    before = await _dead_letters(system)
    poisoned = 0

    @asynccontextmanager
    async def fault(_: System) -> AsyncGenerator[None]:
        nonlocal poisoned
        poisoned = await publish_to_log(client, poisoned_log(EACH))
        await publish_all(client, poisoned_subjects(ResponseId(f"resp_{0:032x}"), EACH))
        yield

    used = usage(system.pids())
    try:
        verdict = await tried(system, "poison", Scenario(fault, 1), seconds=1, seed=3)
    finally:
        await disconnect(client)
    assert verdict.is_good, str(verdict)

    async def all_are_dead() -> bool:
        return await _dead_letters(system) - before >= poisoned

    await eventually(all_are_dead)
    now = usage(system.pids())
    grown = {name: now[name].rss_mib - each.rss_mib for name, each in used.items()}
    assert all(growth < MOST_GROWTH_MIB for growth in grown.values()), grown


async def _dead_letters(system: System) -> int:
    client = await connect(system.broker_url, "test")
    try:
        info = await client.jetstream().stream_info(subjects.DEAD_STREAM)
    finally:
        await disconnect(client)
    return info.state.messages
