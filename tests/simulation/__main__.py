"""Replays a schedule by its token, or runs many: `python -m simulation r1t2f3s4711 -v`."""

import argparse
import os
import sys

from simulation.run import run_many, run_token, simulating


def main() -> int:
    """Run what is asked for; 1 when a law was broken."""
    parser = argparse.ArgumentParser(prog="simulation", description=__doc__)
    parser.add_argument("token", nargs="?", help="a schedule to run again")
    parser.add_argument("-v", "--verbose", action="store_true", help="tell every step in words")
    parser.add_argument("--schedules", type=int, default=20_000, help="how many, without a token")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    told = parser.parse_args()
    if told.token is None:
        report = run_many(told.first, told.schedules, told.workers)
        print(report)  # noqa: T201 -- the figures
        return 1 if report.failed else 0
    try:
        with simulating():
            outcome = run_token(told.token, print if told.verbose else None)
    except ValueError as error:
        parser.error(str(error))
    print(outcome)  # noqa: T201 -- the result
    return 1 if outcome.law else 0


if __name__ == "__main__":
    sys.exit(main())
