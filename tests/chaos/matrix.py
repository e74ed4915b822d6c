"""Plays one cell of the kill matrix, and has the oracle judge it."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable

from msgspec import Struct, field

from chaos.cells import Cell
from chaos.oracle import problems
from chaos.oracle.records import Run
from chaos.rig.scenes import SCENES, Actor
from chaos.rig.stage import Stage
from turnwire_contracts.events import Closed

ENDED_WITHIN_S = 10.0
"""How soon after the restart of what was killed every turn must have its end."""


class Outcome(Struct):
    """What came of one cell with one seed."""

    cell: Cell
    seed: int
    problems: list[str] = field(default_factory=list[str])
    away_s: float = 0.0
    """How long the victim was away."""
    ended_after_s: float = 0.0
    """How long after its return the last turn ended."""
    turns: int = 0
    seconds: float = 0.0
    """How long it took in all."""

    @property
    def is_good(self) -> bool:
        """Whether no law was broken."""
        return not self.problems

    def __str__(self) -> str:
        """One line for people."""
        mark = "ok  " if self.is_good else "FAIL"
        return (
            f"{mark} {self.cell} seed {self.seed}: {self.turns} turns, away {self.away_s:.1f} s, "
            f"ended {self.ended_after_s:.1f} s later"
        )

    @property
    def repeat(self) -> str:
        """The command that plays it again."""
        return f"make chaos CHAOS=\"matrix --cells '{self.cell}' --seeds {self.seed}\""


async def played(stage: Stage, cell: Cell, seed: int) -> Outcome:
    """Play a cell on a stage that is well; it is well again afterwards."""
    outcome, began = Outcome(cell, seed), time.monotonic()
    try:
        run = await stage.begin()
        returned = await _struck(stage, cell, seed)
        if returned is None:
            outcome.problems.append("no process came to the point")
        run = await stage.gather()
        outcome.turns = len(run.log)
        outcome.problems += problems(run)
        if returned is not None:
            _measure(outcome, run, returned)
        await stage.until_well()
    except (TimeoutError, AssertionError) as error:
        outcome.problems.append(f"the stack did not come back: {error!r:.2000}")
    finally:
        stage.orders.withdraw()
    outcome.seconds = time.monotonic() - began
    return outcome


async def _struck(stage: Stage, cell: Cell, seed: int) -> float | None:
    """Play the scene until its end, with the blow in it; gives when the victim was back."""
    actor = Actor(stage, random.Random(f"{cell}-{seed}"))  # noqa: S311 -- not for secrets
    stage.stack.listen_anew()
    stage.orders.give(cell.order)
    acting = asyncio.ensure_future(SCENES[cell.scene](actor))
    reaching = asyncio.create_task(stage.orders.reached())
    try:
        await asyncio.wait({acting, reaching}, return_when=asyncio.FIRST_COMPLETED)
        if acting.done() and not reaching.done():
            # Views come behind a turn's end, and later if the store was killed a moment ago.
            await asyncio.wait({reaching}, timeout=_LATE_S)
        if not reaching.done() or reaching.exception() is not None:
            return None
        began = time.time()
        if cell.second_order is not None:
            stage.orders.give(cell.second_order)
            await stage.orders.reached()
            stage.stack.listen_anew()
        if cell.order.then == "hold":
            stage.stack.kill(cell.victim)
            stage.orders.let_go()
        await asyncio.to_thread(stage.stack.wait_until_back, cell.victim)
        return stage.note(cell.victim, began - _SEEN_LATE_S).until
    finally:
        reaching.cancel()
        await acting


_LATE_S = 12.0
_SEEN_LATE_S = 0.1
"""A blow is seen a moment after it fell."""


def _measure(outcome: Outcome, run: Run, returned: float) -> None:
    fault = run.faults[-1]
    outcome.away_s = fault.until - fault.at
    before = [turn for turn in run.log if turn.recorded[0].event.at / 1000 < returned]
    ends = [
        event.at / 1000 for turn in before for event in turn.events if isinstance(event, Closed)
    ]
    outcome.ended_after_s = max([0.0, *(end - returned for end in ends)])
    if outcome.ended_after_s > ENDED_WITHIN_S:
        outcome.problems.append(
            f"late: a turn ended {outcome.ended_after_s:.1f} s after {fault.process} was back"
        )


def chosen(cells: tuple[Cell, ...], patterns: list[str]) -> list[Cell]:
    """The cells whose names have one of these texts in them; all, if there are none."""
    return [cell for cell in cells if not patterns or any(text in str(cell) for text in patterns)]


Tell = Callable[[Outcome], None]


async def played_all(stage: Stage, work: list[tuple[Cell, int]], tell: Tell) -> list[Outcome]:
    """Play cells one after another, telling each outcome as it comes."""
    outcomes: list[Outcome] = []
    for cell, seed in work:
        outcomes.append(await played(stage, cell, seed))
        tell(outcomes[-1])
    return outcomes


def table(outcomes: list[Outcome]) -> str:
    """The figures by victim."""
    lines = ["| killed | cells | wrong | slowest end after its return |", "|---|---|---|---|"]
    played = Counter(outcome.cell.victim for outcome in outcomes)
    for victim, count in played.items():
        own = [outcome for outcome in outcomes if outcome.cell.victim == victim]
        wrong = sum(not outcome.is_good for outcome in own)
        slowest = max(outcome.ended_after_s for outcome in own)
        lines.append(f"| {victim} | {count} | {wrong} | {slowest:.1f} s |")
    turns = sum(outcome.turns for outcome in outcomes)
    seconds = sum(outcome.seconds for outcome in outcomes)
    return "\n".join([*lines, "", f"{len(outcomes)} cells, {turns} turns, {seconds:.0f} s"])
