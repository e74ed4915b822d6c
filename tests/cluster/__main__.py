"""The long form: `python -m cluster --seconds 75 --every 10 --seeds 1 2 3`."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

import uvloop

from cluster.rig.faults import leader_kills, rolling_upgrade
from cluster.rig.trial import CLIENTS, tried


def main() -> int:
    """Run one trial for each seed, and print its figures; 1 when something was wrong."""
    parser = argparse.ArgumentParser(prog="cluster", description=__doc__)
    parser.add_argument("--seconds", type=float, default=75.0, help="how long leaders are killed")
    parser.add_argument("--every", type=float, default=10.0, help="seconds between two kills")
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--upgrade", action="store_true", help="no kills: a rolling upgrade")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--keep", type=Path, help="a folder in which the logs are kept")
    told = parser.parse_args()
    fault = rolling_upgrade if told.upgrade else leader_kills(told.seconds, told.every)
    good = True
    for seed in told.seeds:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) if told.keep is None else told.keep / str(seed)
            folder.mkdir(parents=True, exist_ok=True)
            report = asyncio.run(tried(folder, seed, fault, told.clients))
        print(report, *report.problems, sep="\n", flush=True)  # noqa: T201 -- the figures
        good = report.is_good and good
    return 0 if good else 1


if __name__ == "__main__":
    uvloop.install()
    sys.exit(main())
