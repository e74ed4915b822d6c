"""A stream whose backend stops twice within its answer, with the orchestrator that drives it."""

import asyncio
from dataclasses import dataclass

import pytest

from scripted_backend import says
from turnwire_contracts.events import Requested
from turnwire_orchestrator.handlers import TurnHandlers
from turnwire_testing.orchestration import Hold, Step, World
from turnwire_testing.samples import events_of

WITHIN_S = 30.0


@dataclass
class HeldStream:
    """A turn of `World` that stands between the two deltas of its answer, "Hel" and "lo"."""

    request: Requested
    handlers: TurnHandlers
    driving: asyncio.Task[None]
    first: Hold
    """Stands before the first delta, and is reached already."""
    then: Hold
    """Stands behind the first delta."""


async def held_stream(world: World) -> HeldStream:
    """Start a streamed turn and return when its backend stands at its first hold."""
    first, then = Hold(), Hold()
    sample = events_of(says("Hel", "lo"))
    world.backend.plays(*sample[:4], first, sample[4], then, *sample[5:])
    request = await world.request(stream=True)
    handlers = world.orchestrator()
    driving = asyncio.create_task(handlers.requested(await world.delivery(request)))
    await first.reached.wait()
    return HeldStream(request, handlers, driving, first, then)


async def lose_owner(world: World, request: Requested, *told: Step) -> None:
    """Let a first orchestrator play these steps and then vanish."""
    hold = Hold()
    world.backend.plays(*told, hold)
    await lose_owner_at(world, request, hold)


async def lose_owner_at(world: World, request: Requested, hold: Hold) -> None:
    """Let a first orchestrator come to a place and vanish there."""
    driving = asyncio.create_task(world.run(request))
    async with asyncio.timeout(WITHIN_S):
        await hold.reached.wait()
        driving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await driving
