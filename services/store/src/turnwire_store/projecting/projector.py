"""Drives the projection: entries in, views out, the checkpoint after them.

There is one way to recover from anything: start again after the checkpoint. What was written
before is recognised, so doing it twice is the same as doing it once.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass

import structlog

from turnwire_chassis.event_log import EventLog, LogUnavailableError
from turnwire_contracts.codec import UnreadableEventError
from turnwire_contracts.turn import ImpossibleEventError
from turnwire_store.projecting.feed import DeadLetter, Entry, FeedLostError, Feeds
from turnwire_store.projecting.projection import (
    DEFAULT_LIMITS,
    Ended,
    Limits,
    Projection,
    Unknown,
    dead_letter,
    settle,
)
from turnwire_store.recalling.recent import RecentTurns
from turnwire_store.views import Generations, Views, ViewsUnavailableError, stored

log = structlog.get_logger()

_RETRY_S = 0.25
_REACH_S = 2.0
_READS_AT_ONCE = 32
_WITHOUT_CHECKPOINT = 1000


@dataclass(frozen=True)
class ProjectorPorts:
    """What the projector needs of the world."""

    log: EventLog
    feeds: Feeds
    generations: Generations
    recent: RecentTurns
    limits: Limits = DEFAULT_LIMITS


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
                log.warning("projection interrupted", reason=str(error), kind=type(error).__name__)
                await asyncio.sleep(_RETRY_S)

    async def follow(self, generation: int) -> AsyncGenerator[int, None]:
        """Project into one generation; tells after each batch how many entries are left.

        Raises `FeedLostError`, `LogUnavailableError`, `ViewsUnavailableError`.
        """
        views = await self._ports.generations.prepare(generation)
        checkpoint = await views.checkpoint()
        projection = Projection(checkpoint, self._ports.limits)
        async with self._ports.feeds.open(generation, checkpoint + 1) as feed:
            log.info("projection starts", generation=generation, after=checkpoint, left=feed.behind)
            yield feed.behind
            while True:
                batch = await feed.next_batch()
                if await self._project(batch, projection, views) or (
                    projection.position - checkpoint > _WITHOUT_CHECKPOINT
                ):
                    checkpoint = projection.position
                    await views.advance(checkpoint)
                yield feed.behind

    async def _run_generation(self, generation: int) -> None:
        async with aclosing(self.follow(generation)) as progress:
            async for _ in progress:
                if await self._ports.generations.serving() != generation:
                    log.info("another generation serves")
                    return

    async def _project(self, batch: Iterable[Entry], projection: Projection, views: Views) -> bool:
        """Write what a batch says; tells whether that was anything."""
        reading = projection.read(batch)
        ended, dead = list(reading.ended), list(reading.dead)
        if reading.unknown:
            for settled in await self._settle_all(reading.unknown):
                match settled:
                    case Ended():
                        ended.append(settled)
                    case DeadLetter():
                        dead.append(settled)
                    case None:
                        pass
            ended.sort(key=lambda one: one.sequence)
        for letter in dead:
            log.error("entry without effect", **_told(letter))
            await self._ports.feeds.bury(letter)
        if ended:
            await self._write(ended, projection, views)
        return bool(ended or dead)

    async def _write(self, ended: list[Ended], projection: Projection, views: Views) -> None:
        if strangers := projection.strangers(ended):
            projection.placement.learn(await views.standings(strangers))
        written = projection.views(ended)
        await views.write(written)
        for view in written:
            self._ports.recent.put(stored(view))
        projection.placement.trim()

    async def _settle_all(self, unknown: list[Unknown]) -> list[Ended | DeadLetter | None]:
        places = asyncio.Semaphore(_READS_AT_ONCE)

        async def settle_one(one: Unknown) -> Ended | DeadLetter | None:
            async with places:
                return await self._settle(one)

        return await asyncio.gather(*map(settle_one, unknown))

    async def _settle(self, unknown: Unknown) -> Ended | DeadLetter | None:
        try:
            recorded = await self._ports.log.read(unknown.tenant, unknown.response_id)
            return settle(unknown, recorded)
        except (UnreadableEventError, ImpossibleEventError) as error:
            return dead_letter(unknown.closing, error)


def _told(letter: DeadLetter) -> dict[str, object]:
    return {
        "subject": letter.subject,
        "sequence": letter.sequence,
        "reason": letter.reason,
        "response_id": letter.response_id,
    }
