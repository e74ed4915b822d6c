"""A soak: the same load for minutes, and how memory, descriptors and threads of processes grow."""

import asyncio
import random
import time

from msgspec import Struct

from chaos.faults.processes import Usage, slope, usage
from chaos.faults.system import System
from chaos.faults.trial import staged
from chaos.oracle import problems
from chaos.rig.scenes import SCENES, Actor

MOST_MIB_A_MINUTE = 0.5
MOST_DESCRIPTORS_A_MINUTE = 1.0

SOAK_BOUNDS = {"output_max_bytes": str(1024 * 1024)}
"""Settings with which what is bounded is full before it is judged: frames are kept in the broker's
memory, 256 MiB of them unless a setting says otherwise, and that takes longer than a soak."""

_SAMPLE_S = 2.0
_WARM_SHARE = 0.3
"""The first part is not judged: caches fill, and allocators take what they will keep."""


class Growth(Struct, frozen=True):
    """One process: what it used first and last, and its slopes a minute in between."""

    first: Usage
    last: Usage
    mib_a_minute: float
    descriptors_a_minute: float

    @property
    def is_flat(self) -> bool:
        """Whether it could go on like this for long."""
        flat = self.descriptors_a_minute <= MOST_DESCRIPTORS_A_MINUTE
        return flat and self.mib_a_minute <= MOST_MIB_A_MINUTE


class Soaked(Struct, frozen=True):
    """What came of a soak."""

    turns: int
    growth: dict[str, Growth]
    problems: list[str]

    @property
    def is_good(self) -> bool:
        """Whether nothing was wrong and nothing grows."""
        return not self.problems and all(each.is_flat for each in self.growth.values())

    def __str__(self) -> str:
        """The figures, for people."""
        lines = [
            f"  {'good' if each.is_flat else 'BAD '} {name}: {each.first.rss_mib:.0f} to "
            f"{each.last.rss_mib:.0f} MiB, {each.mib_a_minute:+.2f} MiB/min; descriptors "
            f"{each.first.descriptors} to {each.last.descriptors}, threads {each.last.threads}"
            for name, each in self.growth.items()
        ]
        return "\n".join([f"{self.turns} turns", *lines, *self.problems])


async def soaked(system: System, *, minutes: float, clients: int, seed: int) -> Soaked:
    """Let clients play scenes with short pauses for so long, and measure meanwhile."""
    async with staged(system) as stage:
        run = await stage.begin()
        leaving = asyncio.Event()
        samples: list[tuple[float, dict[str, Usage]]] = []
        async with asyncio.TaskGroup() as at_work:
            for number in range(clients):
                actor = Actor(stage, random.Random(f"{seed}-{number}-{time.time()}"))  # noqa: S311 -- not for secrets
                at_work.create_task(_work(actor, leaving))
            until = time.monotonic() + 60 * minutes
            while time.monotonic() < until:
                samples.append((time.monotonic(), usage(system.pids())))
                await asyncio.sleep(_SAMPLE_S)
            leaving.set()
        await stage.gather()
    judged = samples[int(len(samples) * _WARM_SHARE) :]
    times = [at for at, _ in judged]
    growth = {
        name: Growth(
            samples[0][1][name],
            samples[-1][1][name],
            slope(times, [each[name].rss_mib for _, each in judged]),
            slope(times, [each[name].descriptors for _, each in judged]),
        )
        for name in samples[0][1]
    }
    return Soaked(len(run.log), growth, problems(run))


async def _work(actor: Actor, leaving: asyncio.Event) -> None:
    while not leaving.is_set():
        await SCENES[actor.chance.choice(list(SCENES))](actor)
        await asyncio.sleep(actor.chance.random())
