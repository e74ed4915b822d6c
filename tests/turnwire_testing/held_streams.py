"""A stream whose backend stops twice within its answer, with the orchestrator that drives it."""

import asyncio
from dataclasses import dataclass

from scripted_backend import says
from turnwire_contracts.events import Requested
from turnwire_orchestrator.handlers import TurnHandlers
from turnwire_testing.orchestration import Hold, World
from turnwire_testing.samples import events_of


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
