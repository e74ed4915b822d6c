"""How many do something at once, and how many may wait for it; who comes after that is told so."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class FloodedError(Exception):
    """So many wait already that waiting would be in vain."""


class Admission:
    """Lets a number in at once, keeps a number waiting in their order, refuses the rest."""

    def __init__(self, at_once: int, waiting: int) -> None:
        """Let nobody in yet."""
        self._free = asyncio.Semaphore(at_once)
        self._most_inside = at_once + waiting
        self._inside = 0

    @asynccontextmanager
    async def place(self) -> AsyncGenerator[None]:
        """Hold a place; waits for one. Raises FloodedError at once when too many wait."""
        if self._inside >= self._most_inside:
            raise FloodedError
        self._inside += 1
        try:
            async with self._free:
                yield
        finally:
            self._inside -= 1
