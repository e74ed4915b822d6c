"""Drives the projection: entries in, views out, the checkpoint after them.

There is one way to recover from anything: start again after the checkpoint. What was written
before is recognised, so doing it twice is the same as doing it once.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from time import perf_counter
from typing import Final

import structlog
from msgspec import Struct

from turnwire_chassis.crash_points import reached
from turnwire_chassis.event_log import LogUnavailableError, StorageFullError
from turnwire_chassis.storage_space import FOR_VIEWS
from turnwire_chassis.telemetry import metrics
from turnwire_store.feed import FeedLostError
from turnwire_store.projecting.batches import ProjectionBatches, ProjectorPorts
from turnwire_store.views import ViewsUnavailableError

log = structlog.get_logger()

_RETRY_S = 0.25
_REACH_S = 2.0
_TOLD_AFTER_S: Final = 10.0
"""A restart of the broker or an election of the database is over by then."""
_STANDS_BY_AFTER_S: Final = 3.0
"""Who waits so long for the feed waits for another process that reads it."""


class _Interruption(Struct, frozen=True):
    since: float
    at: int
    """The checkpoint then."""
    reason: str


class ProjectionProgress:
    """What the projector has done last."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` tells seconds that never go back."""
        self._clock = clock
        self.is_active = False
        self._checkpoint = 0
        self._opens_since: float | None = None
        self._interruption: _Interruption | None = None

    def opens(self, checkpoint: int) -> None:
        """Note that the feed after the checkpoint is asked for."""
        self._checkpoint, self._opens_since = checkpoint, self._clock()

    def goes_on(self, generation: int, checkpoint: int, behind: int) -> None:
        """Note that views are written up to the checkpoint, and how many events come behind it."""
        stuck = self._interruption
        if stuck is not None and (checkpoint > stuck.at or behind == 0):
            self._interruption = None
        self.is_active, self._checkpoint, self._opens_since = True, checkpoint, None
        metrics.PROJECTING().set(1)
        metrics.PROJECTION_LAG().set(behind)
        metrics.PROJECTION_CHECKPOINT().set(checkpoint)
        metrics.PROJECTION_GENERATION().set(generation)

    def is_interrupted(self, reason: str) -> None:
        """Note that it begins again after its checkpoint, and why."""
        former = self._interruption or _Interruption(self._clock(), self._checkpoint, reason)
        self._interruption = _Interruption(former.since, former.at, reason)
        self.is_active, self._opens_since = False, None
        metrics.PROJECTING().set(0)
        metrics.PROJECTION_FAULTS().inc()

    def falls_behind(self, log_end: int) -> None:
        """Note where the log ends while no views are written."""
        metrics.PROJECTION_LAG().set(max(0, log_end - self._checkpoint))

    async def check(self) -> str | None:
        """Tell what has stood in the way for a while, if anything has."""
        now = self._clock()
        if self._opens_since is not None and now - self._opens_since >= _STANDS_BY_AFTER_S:
            return None
        stuck = self._interruption
        if stuck is None or now - stuck.since < _TOLD_AFTER_S:
            return None
        return f"no views have been written for {now - stuck.since:.0f} s: {stuck.reason}"


class Projector:
    """Keeps the views of one generation up with the log."""

    def __init__(self, ports: ProjectorPorts, progress: ProjectionProgress | None = None) -> None:
        """Note in `progress` how far it is."""
        self._ports = ports
        self._progress = progress or ProjectionProgress()

    async def run(self) -> None:
        """Project into whichever generation serves, until cancelled."""
        while True:
            try:
                await self._ports.generations.reach(_REACH_S)
                await self._run_generation(await self._ports.generations.serving())
            except (FeedLostError, LogUnavailableError, ViewsUnavailableError) as error:
                self._progress.is_interrupted(f"{type(error).__name__}: {error}")
                log.warning("projection interrupted", reason=str(error), kind=type(error).__name__)
                with suppress(FeedLostError):
                    self._progress.falls_behind(await self._ports.feeds.end())
                await asyncio.sleep(_RETRY_S)

    async def follow(self, generation: int) -> AsyncGenerator[int, None]:
        """Project into one generation; tells after each batch how many entries are left.

        Raises `FeedLostError`, `LogUnavailableError`, `ViewsUnavailableError`.
        """
        views = await self._ports.generations.prepare(generation)
        checkpoint = await views.checkpoint()
        batches = ProjectionBatches(self._ports, views, checkpoint)
        self._progress.opens(checkpoint)
        async with self._ports.feeds.open(generation, checkpoint + 1) as feed:
            log.info("projection starts", generation=generation, after=checkpoint, left=feed.behind)
            self._progress.goes_on(generation, checkpoint, feed.behind)
            yield feed.behind
            while True:
                await self._room()
                batch = await feed.next_batch()
                began = perf_counter()
                reached("views.before")
                await batches.take(batch)
                reached("views.after")
                # Also when there was nothing to write: who asks for lists waits for it to arrive.
                await views.advance(batches.position)
                reached("checkpoint.after")
                metrics.PROJECTION_BATCH().observe(perf_counter() - began)
                metrics.PROJECTED().inc(len(batch))
                self._progress.goes_on(generation, batches.position, feed.behind)
                yield feed.behind

    async def _room(self) -> None:
        """Wait while the disk is too full for views: a database that finds it so may give up."""
        waits = False
        while True:
            try:
                self._ports.space.require(FOR_VIEWS)
            except StorageFullError as error:
                if not waits:
                    waits = True
                    metrics.PROJECTING().set(0)
                    log.warning("projection waits for room", reason=str(error))
                await asyncio.sleep(_RETRY_S)
            else:
                return

    async def _run_generation(self, generation: int) -> None:
        async with aclosing(self.follow(generation)) as progress:
            async for _ in progress:
                if await self._ports.generations.serving() != generation:
                    log.info("another generation serves")
                    return
