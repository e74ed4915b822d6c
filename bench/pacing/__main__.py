"""`python -m bench.pacing`: many streams at a model's pace, through the stack and straight."""

import argparse
import sys

import uvloop

from bench.measured import keep
from bench.pacing.rows import PACES_MS, STREAMS, figures, measure, report
from bench.report import machine, record


def main() -> int:
    """Run it; 1 when a request failed."""
    parser = argparse.ArgumentParser(prog="bench.pacing", description=__doc__)
    parser.add_argument("--streams", type=int, nargs="+", default=STREAMS)
    parser.add_argument("--pace-ms", type=float, nargs="+", default=PACES_MS)
    parser.add_argument("--record", action="store_true", help="append to bench/RESULTS.md")
    options = parser.parse_args()
    rows = uvloop.run(measure(options.streams, options.pace_ms))
    text = report(rows)
    sys.stdout.write(f"{machine()}\n{text}\n")
    if options.record:
        record(text)
        keep("pacing", {"rows": [figures(row) for row in rows]})
    return 1 if any(row.trial.through.failures for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
