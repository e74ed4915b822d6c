"""The long form: `python -m chaos all`, `… matrix --seeds 1 2 3`, `… kills --turns 2000`.

With one stack for everything, which heals between the cells. SIGTERM and ^C end it, and the stack.
"""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

import uvloop

from chaos.cells import CELLS
from chaos.kills import survived
from chaos.matrix import Outcome, chosen, played_all, table
from chaos.oracle import Fault
from chaos.rig.load import Load
from chaos.rig.run import run_folder, say
from chaos.rig.stage import Stage, running_stage


def main() -> int:
    """Play what was asked for; 1 when something was wrong."""
    told = _parser().parse_args()
    if told.list:
        say(*chosen(CELLS, told.cells))
        return 0
    # A run that is told to end takes its stack with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with run_folder(told.keep) as folder:
        return asyncio.run(_played(folder, told))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("what", choices=("all", "matrix", "kills"), nargs="?", default="all")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--cells", nargs="+", default=[], help="cells with one of these texts")
    parser.add_argument("--list", action="store_true", help="only print the names of the cells")
    parser.add_argument("--turns", type=int, default=2000, help="under random kills, by seed")
    parser.add_argument("--clients", type=int, default=12, help="at work under random kills")
    parser.add_argument("--pause", type=float, default=1.0, help="of a client: seconds, at most")
    parser.add_argument("--keep", type=Path, help="a new folder in which data and logs are kept")
    return parser


async def _played(folder: Path, told: argparse.Namespace) -> int:
    good = True
    async with running_stage(folder) as stage:
        if told.what != "kills":
            good = await _matrix(stage, told)
        if told.what != "matrix":
            # One seed of the load is many kills already.
            good = await _kills(stage, told) and good
    return 0 if good else 1


async def _matrix(stage: Stage, told: argparse.Namespace) -> bool:
    work = [(cell, seed) for seed in told.seeds for cell in chosen(CELLS, told.cells)]
    say(f"{len(work)} cells, seeds {told.seeds}")
    number = 0

    def tell(outcome: Outcome) -> None:
        nonlocal number
        number += 1
        say(f"[{number}/{len(work)}] {outcome} ({outcome.seconds:.1f} s)")
        say(*(f"      {problem}" for problem in outcome.problems))

    outcomes = await played_all(stage, work, tell)
    say(table(outcomes), *(outcome.repeat for outcome in outcomes if not outcome.is_good))
    return all(outcome.is_good for outcome in outcomes)


async def _kills(stage: Stage, told: argparse.Namespace) -> bool:
    def tell(fault: Fault, turns: int) -> None:
        away = fault.until - fault.at
        say(f"[{turns}/{told.turns}] {fault.process} was away for {away:.1f} s")

    seed = told.seeds[0]
    load = Load(seed, told.turns, told.clients, within_s=3600, pause_s=told.pause)
    toll = await survived(stage, load, tell)
    again = f'make chaos CHAOS="kills --seeds {seed} --turns {told.turns}"'
    say(toll, *toll.problems, *([] if toll.is_good else [f"again: {again}"]))
    return toll.is_good


if __name__ == "__main__":
    uvloop.install()
    sys.exit(main())
