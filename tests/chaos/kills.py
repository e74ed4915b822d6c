"""Random kills: clients of every kind at work while one process after another is killed."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence

from msgspec import Struct, field

from chaos.oracle import problems
from chaos.oracle.laws import ended_otherwise
from chaos.oracle.records import Fault, Run
from chaos.rig.load import Clients, Load
from chaos.rig.stage import PROCESSES, Stage

_LONGEST_PEACE_S = 1.5
"""The longest time between the return of one process and the death of the next."""


class Toll(Struct):
    """What came of a load under random kills."""

    seed: int
    turns: int = 0
    accepted: int = 0
    """Turns whose id a client was given."""
    logged: int = 0
    otherwise: Counter[str] = field(default_factory=Counter[str])
    """Turns that their clients saw end as something else than completed, by how."""
    killed: Counter[str] = field(default_factory=Counter[str])
    away_s: float = 0.0
    """The longest time that a process was away."""
    slowest_s: float = 0.0
    """The longest that a client waited for an end."""
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list[str])

    @property
    def is_good(self) -> bool:
        """Whether no law was broken."""
        return not self.problems

    def __str__(self) -> str:
        """The figures, for people."""
        return (
            f"seed {self.seed}: {self.turns} turns in {self.seconds:.0f} s, "
            f"{self.accepted} accepted, {self.logged} in the log\n"
            f"  {self.killed.total()} kills {dict(self.killed)}, away {self.away_s:.1f} s at most\n"
            f"  ended otherwise: {dict(self.otherwise) or 'none'}; "
            f"slowest end {self.slowest_s:.1f} s\n"
            f"  wrong: {len(self.problems)}"
        )


Tell = Callable[[Fault, int], None]
"""Is told of each kill, and how many turns were begun until then."""


async def survived(
    stage: Stage, load: Load, tell: Tell | None = None, processes: Sequence[str] = PROCESSES
) -> Toll:
    """Let clients work while processes are killed at random, one at a time; count what came."""
    began = time.monotonic()
    run = await stage.begin()
    clients = Clients(stage, load)
    working = asyncio.create_task(clients.work())
    chance = random.Random(f"kills-{load.seed}")  # noqa: S311 -- not for secrets
    try:
        while not clients.is_over:
            await asyncio.sleep(chance.uniform(0.1, _LONGEST_PEACE_S))
            fault = await stage.kill(chance.choice(processes))
            if tell is not None:
                tell(fault, len(run.seen))
            # One failure at a time: the next comes when the whole is well again.
            await stage.until_well()
    finally:
        clients.leave()
        await working
    run = await stage.gather()
    return _toll(load.seed, run, time.monotonic() - began)


def _toll(seed: int, run: Run, seconds: float) -> Toll:
    toll = Toll(seed, turns=len(run.seen), logged=len(run.log), seconds=seconds)
    toll.accepted = sum(bool(seen.response_id) for seen in run.seen)
    toll.otherwise = Counter(
        str((seen.error or {}).get("code") or (seen.answer or {}).get("status"))
        for seen in run.seen
        if ended_otherwise(seen)
    )
    toll.killed = Counter(fault.process for fault in run.faults)
    toll.away_s = max([0.0, *(fault.until - fault.at for fault in run.faults)])
    waits = [seen.requests[-1].ended_at - seen.requests[0].at for seen in run.seen if seen.requests]
    toll.slowest_s = max([0.0, *waits])
    toll.problems = problems(run)
    return toll
