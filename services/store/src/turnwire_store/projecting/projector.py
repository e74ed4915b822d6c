"""Drives the projection: entries in, views out, the checkpoint after them.

There is one way to recover from anything: start again after the checkpoint. What was written
before is recognised, so doing it twice is the same as doing it once.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from time import perf_counter

import structlog

from turnwire_chassis.event_log import LogUnavailableError
from turnwire_chassis.telemetry import metrics
from turnwire_store.feeding.feed import FeedLostError
from turnwire_store.projecting.batches import Batches, ProjectorPorts
from turnwire_store.views import ViewsUnavailableError

log = structlog.get_logger()

_RETRY_S = 0.25
_REACH_S = 2.0


class Projector:
    """Keeps the views of one generation up with the log."""

    def __init__(self, ports: ProjectorPorts) -> None:
        """Nothing happens before `run` or `follow`."""
        self._ports = ports

    async def run(self) -> None:
        """Project into whichever generation serves, until cancelled."""
        while True:
            try:
                await self._ports.generations.reach(_REACH_S)
                await self._run_generation(await self._ports.generations.serving())
            except (FeedLostError, LogUnavailableError, ViewsUnavailableError) as error:
                metrics.PROJECTING().set(0)
                metrics.PROJECTION_FAULTS().inc()
                log.warning("projection interrupted", reason=str(error), kind=type(error).__name__)
                await asyncio.sleep(_RETRY_S)

    async def follow(self, generation: int) -> AsyncGenerator[int, None]:
        """Project into one generation; tells after each batch how many entries are left.

        Raises `FeedLostError`, `LogUnavailableError`, `ViewsUnavailableError`.
        """
        views = await self._ports.generations.prepare(generation)
        checkpoint = await views.checkpoint()
        batches = Batches(self._ports, views, checkpoint)
        async with self._ports.feeds.open(generation, checkpoint + 1) as feed:
            log.info("projection starts", generation=generation, after=checkpoint, left=feed.behind)
            yield feed.behind
            while True:
                batch = await feed.next_batch()
                began = perf_counter()
                await batches.take(batch)
                # Also when there was nothing to write: who asks for lists waits for it to arrive.
                await views.advance(batches.position)
                metrics.PROJECTION_BATCH().observe(perf_counter() - began)
                metrics.PROJECTED().inc(len(batch))
                yield feed.behind

    async def _run_generation(self, generation: int) -> None:
        async with aclosing(self.follow(generation)) as progress:
            async for behind in progress:
                metrics.PROJECTION_LAG().set(behind)
                metrics.PROJECTING().set(1)
                if await self._ports.generations.serving() != generation:
                    log.info("another generation serves")
                    return
