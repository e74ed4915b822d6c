"""Lets so many through at once, by key; so many more may wait, and the rest is turned away."""

import asyncio
from collections.abc import AsyncGenerator, Hashable
from contextlib import asynccontextmanager


class FullError(Exception):
    """As many wait already as may."""


class Turnstile:
    """Counts by key; keys that nobody uses take no room."""

    def __init__(self, most: int, most_waiting: int) -> None:
        """Let `most` in at once for each key, and let `most_waiting` wait for each."""
        self._most = most
        self._most_waiting = most_waiting
        self._lanes: dict[Hashable, _Lane] = {}

    @asynccontextmanager
    async def through(self, key: Hashable) -> AsyncGenerator[None]:
        """Wait for a place, first come, first served. Raises FullError."""
        lane = self._lanes.setdefault(key, _Lane(self._most))
        if lane.people >= self._most + self._most_waiting:
            raise FullError
        lane.people += 1
        try:
            async with lane.places:
                yield
        finally:
            lane.people -= 1
            if not lane.people:
                del self._lanes[key]


class _Lane:
    def __init__(self, most: int) -> None:
        self.places = asyncio.Semaphore(most)
        self.people = 0
