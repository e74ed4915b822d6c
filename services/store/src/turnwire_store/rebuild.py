"""Builds the views anew from the log, beside those that serve, and then lets the new ones serve."""

import asyncio
import sys
from contextlib import aclosing
from typing import Final, Protocol

import structlog
from msgspec import Struct

from turnwire_chassis.event_log import EventLog
from turnwire_chassis.lifecycle.lifecycle import Lifecycle
from turnwire_chassis.storage_space import ANYWHERE, StorageSpace
from turnwire_store.app import Connections, connected
from turnwire_store.projecting.batches import ProjectorPorts
from turnwire_store.projecting.projector import Projector
from turnwire_store.recent_turns import RecentTurns
from turnwire_store.settings import StoreSettings
from turnwire_store.verifying.comparison import Compared, Comparison, WholeLog
from turnwire_store.verifying.digest import Difference
from turnwire_store.verifying.jetstream_log import JetStreamWholeLog
from turnwire_store.views import Generations

log = structlog.get_logger()

_LOGGED_DIGITS: Final = 32
"""Of a digest: all 64 look like a key, which no log line shows."""
_REACH_S = 10.0
_DIFFERENT = 1
_CLAIMS_WITHIN_S = 30.0
"""How long another process may have the generation that is to be built."""
_NAMED = 20
"""How many differences a line of the log names."""


class OvertakenError(Exception):
    """Another rebuild works on the same generation, or was faster."""


class RebuildProgress(Protocol):
    """Is told how far a rebuild is."""

    def building(self, done: int, total: int) -> None:
        """So many of the entries that were to be projected are."""
        ...

    def comparing(self, done: int, total: int) -> None:
        """The log is folded up to the sequence `done`, of `total`."""
        ...


class Quiet:
    """`RebuildProgress` that shows nothing."""

    def building(self, done: int, total: int) -> None:
        """See `RebuildProgress.building`."""

    def comparing(self, done: int, total: int) -> None:
        """See `RebuildProgress.comparing`."""


class Rebuilt(Struct, frozen=True):
    """What a rebuild came to."""

    generation: int
    serves: bool
    """Whether the new generation serves: only one that says what the log says does."""
    new: Compared
    """The new generation and the log."""
    old: Compared
    """The generation that served, and the log: what the rebuild has mended."""


async def rebuild(settings: StoreSettings, lifecycle: Lifecycle) -> None:
    """Build the next generation; one that was interrupted is continued where it was.

    Ends the process with exit code 1 if the new views differ from the log.
    """
    async with connected(settings) as to:
        lifecycle.watch_broker(to.client)
        await to.generations.reach(_REACH_S)
        rebuilt = await rebuilding(to, settings.storage_space).run(Quiet())
    if not rebuilt.serves:
        sys.exit(_DIFFERENT)


def rebuilding(to: Connections, space: StorageSpace = ANYWHERE) -> "Rebuilding":
    """Make a rebuild over these connections; it waits while `space` has no room for views."""
    ports = ProjectorPorts(to.event_log, to.feeds, to.generations, RecentTurns(0), space=space)
    return Rebuilding(Projector(ports), to.generations, JetStreamWholeLog(to.client), to.event_log)


class Rebuilding:
    """One rebuild: build, compare with the log, and serve."""

    def __init__(
        self, projector: Projector, generations: Generations, whole: WholeLog, events: EventLog
    ) -> None:
        self._projector = projector
        self._generations = generations
        self._whole = whole
        self._events = events

    async def run(self, progress: RebuildProgress) -> Rebuilt:
        """Build and compare the generation after the one that serves, then let it serve.

        The one that served is kept until the next rebuild, so that there is a way back. A new one
        that differs from the log does not serve and is dropped, so that the next is built whole.
        Raises `FeedLostError`, `LogUnavailableError`, `ViewsUnavailableError`, `OvertakenError`.
        """
        old = await self._generations.serving()
        await self._generations.drop_before(old)
        await self._build(old + 1, progress)
        new, before = await self._compare(old, progress)
        await self._require(old)
        if new.differences:
            log.error("new views differ from the log", generation=old + 1, **_told(new.differences))
            await self._generations.drop(old + 1)
            return Rebuilt(old + 1, serves=False, new=new, old=before)
        # What came while they were compared.
        await self._build(old + 1, progress)
        await self._require(old)
        await self._generations.serve(old + 1)
        await self._require(old + 1)
        digest = new.views.digest[:_LOGGED_DIGITS]
        log.info("views built anew", generation=old + 1, digest=digest)
        if before.differences:
            log.warning("old views differed", generation=old, **_told(before.differences))
        return Rebuilt(old + 1, serves=True, new=new, old=before)

    async def _build(self, generation: int, progress: RebuildProgress) -> None:
        async with aclosing(self._projector.follow(generation)) as batches:
            try:
                async with asyncio.timeout(_CLAIMS_WITHIN_S):
                    behind = total = await anext(batches)
            except TimeoutError as error:
                raise OvertakenError(
                    f"Another process builds generation {generation} of the views"
                ) from error
            progress.building(total - behind, total)
            while behind:
                behind = await anext(batches)
                total = max(total, behind)
                progress.building(total - behind, total)

    async def _require(self, generation: int) -> None:
        """Return if that generation serves. Raises `OvertakenError`."""
        if (serving := await self._generations.serving()) != generation:
            raise OvertakenError(
                f"Generation {serving} of the views serves meanwhile, and not {generation}: "
                "another rebuild was faster"
            )

    async def _compare(self, old: int, progress: RebuildProgress) -> tuple[Compared, Compared]:
        views = self._generations.views(old + 1)
        until = await views.checkpoint()
        comparison = Comparison(self._whole, self._events)
        await comparison.read_log(until, lambda done: progress.comparing(done, until))
        new = await comparison.with_views(views)
        return new, await comparison.with_views(self._generations.views(old))


def _told(differences: tuple[Difference, ...]) -> dict[str, object]:
    named = [f"{each.about} ({each.how})" for each in differences[:_NAMED]]
    return {"differences": len(differences), "about": named}
