"""Whether the views are fresh: what changes turns is heard, or it has been projected.

A process hears of changes from the moment it is connected. What happened before stands in the log,
and the views know it as soon as they are where the log was then. Until that moment, after a start
or a reconnection, the log answers.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog
from msgspec import Struct

from turnwire_store.feed import FeedLostError, Feeds
from turnwire_store.recent_turns import RecentTurns
from turnwire_store.views import Generations, ViewsUnavailableError

log = structlog.get_logger()

PATIENCE_S: Final = 1.0
"""Seconds. Views are behind by what the feed collects, by more only when they have to catch up."""

_LOOK_AGAIN_S: Final = 0.02


class ViewsPosition(Struct, frozen=True):
    """How far the views are."""

    end: int
    """The last sequence of the log that they know."""
    whole: bool
    """Whether that was the end of the log when this was asked for."""


class Freshness:
    """Compares how far the views are with where the log ends."""

    def __init__(
        self,
        feeds: Feeds,
        generations: Generations,
        recent: RecentTurns,
        connections: Callable[[], int],
        patience_s: float = PATIENCE_S,
    ) -> None:
        """`connections` counts how often this process began to hear of changes.

        `patience_s`: the most seconds that `caught_up` waits.
        """
        self._feeds = feeds
        self._generations = generations
        self._recent = recent
        self._connections = connections
        self._patience_s = patience_s
        self._fresh_connection: int | None = None
        self._checked_connection: int | None = None
        self._required: int | None = None

    async def is_fresh(self) -> bool:
        """Tell whether a turn's view is right unless a change of it was heard."""
        connection = self._connections()
        if connection == self._fresh_connection:
            return True
        if connection != self._checked_connection:
            self._recent.clear()
            self._checked_connection, self._required = connection, None
        try:
            if (required := self._required) is None:
                required = await self._feeds.end()
            reached = await self._reached()
        except (FeedLostError, ViewsUnavailableError) as error:
            log.warning("views cannot be compared with the log", reason=str(error))
            return False
        # Meanwhile the connection may have been lost, and found again.
        if connection != self._checked_connection or connection != self._connections():
            return False
        self._required = required
        if reached < required:
            return False
        self._fresh_connection = connection
        return True

    async def caught_up(self) -> ViewsPosition:
        """Wait until the views are where the log is now, but not for long.

        Raises `ViewsUnavailableError`.
        """
        try:
            required = await self._feeds.end()
        except FeedLostError as error:
            log.warning("views cannot be compared with the log", reason=str(error))
            return ViewsPosition(await self._reached(), whole=False)
        loop = asyncio.get_running_loop()
        until = loop.time() + self._patience_s
        while (reached := await self._reached()) < required and loop.time() < until:  # noqa: ASYNC110 -- another process moves it
            await asyncio.sleep(_LOOK_AGAIN_S)
        return ViewsPosition(reached, whole=reached >= required)

    async def position(self) -> tuple[int, int, int]:
        """Read which generation serves, up to where it is told, and where the log ends.

        Raises `FeedLostError`, `ViewsUnavailableError`.
        """
        # In this order: what is appended meanwhile makes the views look late, and never early.
        generation = await self._generations.serving()
        checkpoint = await self._generations.views(generation).checkpoint()
        return generation, checkpoint, await self._feeds.end()

    async def _reached(self) -> int:
        return await self._generations.views(await self._generations.serving()).checkpoint()
