"""Many clients at once, bounded in turns and time; each plays one scene after another."""

import asyncio
import random
import time
from collections.abc import Sequence

from msgspec import Struct

from chaos.rig.scenes import SCENES, Actor
from chaos.rig.stage import Stage

EVERY_SCENE = tuple(SCENES)


class Load(Struct, frozen=True):
    """How much is asked, and of what kind."""

    seed: int
    turns: int = 100
    """No client begins a scene once so many turns were begun."""
    clients: int = 8
    within_s: float = 600.0
    """Nor once so many seconds are over."""
    scenes: Sequence[str] = EVERY_SCENE
    pause_s: float = 0.0
    """The longest pause of a client between two scenes."""


class Clients:
    """The clients of a load at work."""

    def __init__(self, stage: Stage, load: Load) -> None:
        self._stage = stage
        self._load = load
        self._leaving = False
        self._until = time.monotonic() + load.within_s

    async def work(self) -> None:
        """Play scenes until the load is done, or `leave` is called."""
        async with asyncio.TaskGroup() as group:
            for number in range(self._load.clients):
                group.create_task(self._client(number))

    def leave(self) -> None:
        """Begin no more scenes."""
        self._leaving = True

    @property
    def is_over(self) -> bool:
        """Whether no more scenes are begun."""
        enough = len(self._stage.run.seen) >= self._load.turns
        return self._leaving or enough or time.monotonic() > self._until

    async def _client(self, number: int) -> None:
        chance = random.Random(f"{self._load.seed}-{number}")  # noqa: S311 -- not for secrets
        while not self.is_over:
            await SCENES[chance.choice(self._load.scenes)](Actor(self._stage, chance))
            if self._load.pause_s:
                await asyncio.sleep(chance.uniform(0, self._load.pause_s))
