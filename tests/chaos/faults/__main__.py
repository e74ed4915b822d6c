"""The long form of the faults: `python -m chaos.faults run`, `… soak --minutes 10`, `… list`.

`run` plays every scenario, or those whose names have one of the given texts in them.
"""

import argparse
import asyncio
import sys
from pathlib import Path

import uvloop

from chaos.faults.scenarios import SCENARIOS
from chaos.faults.soak import SOAK_BOUNDS, soaked
from chaos.faults.system import SERVICES, System, running_system
from chaos.faults.trial import tried
from chaos.rig.run import run_folder, say


def main() -> int:
    """Do what was asked for; 1 when something was wrong."""
    told = _parser().parse_args()
    if told.what == "list":
        say(*_chosen(told.names))
        return 0
    with run_folder(told.keep) as folder:
        return asyncio.run(_done(folder, told))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="chaos.faults", description=__doc__)
    parser.add_argument("what", choices=("run", "soak", "list"), nargs="?", default="run")
    parser.add_argument("--names", nargs="+", default=[], help="scenarios with one of these texts")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--seconds", type=float, help="how long each fault lasts")
    parser.add_argument("--minutes", type=float, default=10.0, help="of the soak")
    parser.add_argument("--clients", type=int, default=6, help="of the soak")
    parser.add_argument("--older", default="HEAD^", help="the revision that is upgraded from")
    parser.add_argument("--keep", type=Path, help="a new folder in which data and logs are kept")
    return parser


async def _done(folder: Path, told: argparse.Namespace) -> int:
    services = (*SERVICES, "orchestrator", "gateway")
    bounds = SOAK_BOUNDS if told.what == "soak" else {}
    async with running_system(folder, services, with_replicas=True, **bounds) as system:
        system.older = told.older
        if told.what == "soak":
            result = await soaked(
                system, minutes=told.minutes, clients=told.clients, seed=told.seeds[0]
            )
            say(result)
            return 0 if result.is_good else 1
        return 0 if await _all_tried(system, told) else 1


async def _all_tried(system: System, told: argparse.Namespace) -> bool:
    good = True
    for seed in told.seeds:
        for name in _chosen(told.names):
            scenario = SCENARIOS[name]
            if reason := scenario.cannot_run(system):
                say(f"not run: {name}: {reason}")
                continue
            seconds = told.seconds or scenario.long_s
            verdict = await tried(system, name, scenario, seconds=seconds, seed=seed)
            say(verdict)
            good = verdict.is_good and good
    return good


def _chosen(texts: list[str]) -> list[str]:
    return [name for name in SCENARIOS if not texts or any(text in name for text in texts)]


if __name__ == "__main__":
    uvloop.install()
    sys.exit(main())
