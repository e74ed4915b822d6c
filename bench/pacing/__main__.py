"""`python -m bench.pacing`: many streams at a model's pace, through the stack and straight."""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from bench.load import Load, Shape, closed_loop, quantile
from bench.measured import keep
from bench.processes import ours
from bench.report import machine, record
from bench.scenarios import Trial, compare
from bench.stack import running_backend, running_stack

TOKENS = 60
ROUNDS = 4
"""Streams that each client reads, one after the other."""

_SECONDS = 60.0
_NAMES = ("gateway", "orchestrator", "store", "nats", "mongo")
_SHARES = (0.5, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Row:
    """So many streams at once, a token each so many milliseconds, and what came of it."""

    streams: int
    pace_ms: float
    trial: Trial


async def measure(streams: Sequence[int], paces: Sequence[float]) -> list[Row]:
    """Start the stack, and run every number of streams at every pace."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="turnwire-bench-") as folder:
        async with (
            running_backend() as backend,
            running_stack(backend, Path(folder) / "data") as stack,
        ):
            await backend.answer_with(TOKENS)
            await closed_loop(stack.target, Shape(4, 16, TOKENS))
            for pace in paces:
                for number in streams:
                    whole = TOKENS * pace / 1000
                    shape = Shape(number, number * ROUNDS, TOKENS, _SECONDS, spread=whole)
                    await backend.answer_with(TOKENS, pace)
                    rows.append(Row(number, pace, await compare(backend, stack, shape)))
    return rows


def report(rows: Sequence[Row]) -> str:
    """Lay out all rows; `straight` is the same load sent to the backend a moment before."""
    return "\n\n".join("\n".join(_lines(row)) for row in rows)


def _lines(row: Row) -> Iterator[str]:
    through, direct = row.trial.through, row.trial.direct
    yield f"{row.streams} streams of {TOKENS} tokens, one each {row.pace_ms:g} ms"
    yield _line("first frame, ms p50 p95 p99", _first(through), _first(direct))
    yield _line("between reads, ms p50 p95 p99", _gaps(through), _gaps(direct))
    rates = (f"{load.rate:.1f}" for load in (through, direct))
    yield _line("streams a second", *rates)
    frames = max(1, through.frames)
    cost = 1e6 * ours(row.trial.cpu) / frames
    yield f"  CPU a frame, the turn included, our services {cost:8.0f} µs"
    by_process = ((name, 1e6 * row.trial.cpu[name] / frames) for name in _NAMES)
    yield "    " + ", ".join(f"{name} {value:.0f}" for name, value in by_process)
    yield f"  {through.answered} answered, {len(through.failures)} failed"


def _figures(row: Row) -> dict[str, Any]:
    """`frame_us`: CPU of each process for a frame, its share of the turn included."""
    through = row.trial.through
    frames = max(1, through.frames)
    return {
        "streams": row.streams,
        "pace_ms": row.pace_ms,
        "tokens": TOKENS,
        "frames": frames / max(1, through.answered),
        "frame_us": {name: 1e6 * cpu / frames for name, cpu in row.trial.cpu.items()},
    }


def _first(load: Load) -> str:
    return _quantiles([sample.first_frame for sample in load.samples])


def _gaps(load: Load) -> str:
    return _quantiles([gap for sample in load.samples for gap in sample.gaps])


def _quantiles(seconds: Sequence[float]) -> str:
    return " ".join(f"{1000 * quantile(seconds, share):7.1f}" for share in _SHARES)


def _line(name: str, through: str, direct: str) -> str:
    return f"  {name:<34}{through:>24}   straight {direct:>24}"


def main() -> int:
    """Run it; 1 when a request failed."""
    parser = argparse.ArgumentParser(prog="bench.pacing", description=__doc__)
    parser.add_argument("--streams", type=int, nargs="+", default=(32, 128, 512))
    parser.add_argument("--pace-ms", type=float, nargs="+", default=(20.0, 50.0))
    parser.add_argument("--record", action="store_true", help="append to bench/RESULTS.md")
    options = parser.parse_args()
    rows = uvloop.run(measure(options.streams, options.pace_ms))
    text = report(rows)
    sys.stdout.write(f"{machine()}\n{text}\n")
    if options.record:
        record(text)
        keep("pacing", {"rows": [_figures(row) for row in rows]})
    return 1 if any(row.trial.through.failures for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
