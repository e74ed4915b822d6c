"""Builds the views anew from the log, beside those that serve, and then lets the new ones serve."""

from contextlib import aclosing

import structlog

from turnwire_chassis.lifecycle.lifecycle import Lifecycle
from turnwire_store.app import connected
from turnwire_store.projecting.batches import ProjectorPorts
from turnwire_store.projecting.projector import Projector
from turnwire_store.recalling.recent import RecentTurns
from turnwire_store.settings import StoreSettings
from turnwire_store.views import Generations

log = structlog.get_logger()

_REACH_S = 10.0


async def rebuild(settings: StoreSettings, lifecycle: Lifecycle) -> None:
    """Build the next generation; one that was interrupted is continued where it was."""
    async with connected(settings) as to:
        lifecycle.watch_broker(to.client)
        ports = ProjectorPorts(to.event_log, to.feeds, to.generations, RecentTurns(0))
        await to.generations.reach(_REACH_S)
        await build_next(Projector(ports), to.generations)


async def build_next(projector: Projector, generations: Generations) -> int:
    """Build and serve the generation after the one that serves; gives its number.

    The one that served is kept until the next rebuild, so that there is a way back.
    """
    old = await generations.serving()
    await generations.drop_before(old)
    async with aclosing(projector.follow(old + 1)) as progress:
        async for behind in progress:
            if behind == 0:
                break
    await generations.serve(old + 1)
    log.info("views built anew", generation=old + 1)
    return old + 1
