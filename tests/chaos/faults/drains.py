"""SIGTERM under load: gateways and orchestrators are replaced, and no client is told an error."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager

from msgspec.structs import replace

from chaos.faults.system import System
from chaos.oracle import GIVEN_ONCE, Run, SeenTurn

_FINISHES_S = "5"
"""Longer than any turn of the load: what was begun is finished."""
_HANDS_OVER_S = "0"
"""What was begun goes to another process."""


@asynccontextmanager
async def drained(system: System, *, drain_s: str = _FINISHES_S) -> AsyncGenerator[None]:
    """Replace gateways and orchestrators, one after the other, again and again."""
    services = system.all_of("orchestrator", "gateway")
    for service in services:
        await service.restart(TURNWIRE_DRAIN_S=drain_s)
    leaving = asyncio.Event()

    async def replace() -> None:
        while not leaving.is_set():
            for service in services:
                await service.restart(TURNWIRE_DRAIN_S=drain_s)

    replacing = asyncio.create_task(replace())
    try:
        yield
    finally:
        leaving.set()
        await replacing


@asynccontextmanager
async def handed_over(system: System) -> AsyncGenerator[None]:
    """As `drained`, with no time to finish anything."""
    async with drained(system, drain_s=_HANDS_OVER_S):
        yield


def no_client_is_told_an_error(run: Run) -> Iterator[str]:
    """Every client that asks again was told the end of a turn that did not fail."""
    for seen in run.seen:
        if seen.error is not None:
            yield f"told an error: {seen.name}: {seen.error.get('code')}"
        elif (seen.answer or {}).get("status") == "failed" or (
            seen.frames and b"event: response.failed" in seen.frames[-1]
        ):
            yield f"told a failure: {seen.name}"


def only_what_is_given_once_is_gone(run: Run) -> Iterator[str]:
    """The same, but an answer that is not stored may have gone with who waited for it."""
    others = [each for each in run.seen if each.stored or _code(each) not in GIVEN_ONCE]
    yield from no_client_is_told_an_error(replace(run, seen=others))


def _code(seen: SeenTurn) -> str:
    return str((seen.error or {}).get("code"))
