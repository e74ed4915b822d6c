"""Many streams at a model's pace, through the stack and straight: one row for each load."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.load import Load, Shape, closed_loop, quantile
from bench.processes import ours
from bench.scenarios import Trial, compare
from bench.stack import running_backend, running_stack

STREAMS = (32, 128, 512)
PACES_MS = (20.0, 50.0)
TOKENS = 60
ROUNDS = 4
"""Streams that each client reads, one after the other."""

MOST_GAP_RATIO = 1.5
"""How much longer the longest waits between two reads may be than straight (p99)."""

_SECONDS = 60.0
_NAMES = ("gateway", "orchestrator", "store", "nats", "mongo")
_SHARES = (0.5, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Row:
    """So many streams at once, a token each so many milliseconds, and what came of it."""

    streams: int
    pace_ms: float
    trial: Trial

    @property
    def frame_us(self) -> float:
        """CPU of our services for a frame, its share of the turn included."""
        return 1e6 * ours(self.trial.cpu) / max(1, self.trial.through.frames)

    @property
    def gap_ratio(self) -> float:
        """The p99 of the time between two reads, by that of the same load sent straight."""
        straight = quantile(_gap_seconds(self.trial.direct), 0.99)
        return quantile(_gap_seconds(self.trial.through), 0.99) / straight if straight else 0.0

    @property
    def streams_a_core(self) -> float:
        """How many streams of this pace one core pays for, by what a frame of this row cost."""
        return 1e3 * self.pace_ms / self.frame_us if self.frame_us else 0.0


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
    blocks = ["\n".join(_lines(row)) for row in rows]
    return "\n\n".join([*blocks, "\n".join(_carried(rows))])


def _carried(rows: Sequence[Row]) -> Iterator[str]:
    """Say for each pace up to how many streams the time between reads stayed even."""
    for pace in sorted({row.pace_ms for row in rows}):
        even = [row for row in rows if row.pace_ms == pace and row.gap_ratio <= MOST_GAP_RATIO]
        most = max(even, key=lambda row: row.streams, default=None)
        held = f"{most.streams} streams, {most.streams_a_core:.0f} a core" if most else "none"
        yield f"one each {pace:g} ms: p99 between reads at most {MOST_GAP_RATIO:g} x up to {held}"


def _lines(row: Row) -> Iterator[str]:
    through, direct = row.trial.through, row.trial.direct
    yield f"{row.streams} streams of {TOKENS} tokens, one each {row.pace_ms:g} ms"
    yield _line("first frame, ms p50 p95 p99", _first(through), _first(direct))
    yield _line("between reads, ms p50 p95 p99", _gaps(through), _gaps(direct))
    rates = (f"{load.rate:.1f}" for load in (through, direct))
    yield _line("streams a second", *rates)
    frames = max(1, through.frames)
    yield f"  CPU a frame, the turn included, our services {row.frame_us:8.0f} µs"
    by_process = ((name, 1e6 * row.trial.cpu[name] / frames) for name in _NAMES)
    yield "    " + ", ".join(f"{name} {value:.0f}" for name, value in by_process)
    yield f"  p99 between reads {row.gap_ratio:.2f} x straight"
    yield f"  one core pays for {row.streams_a_core:.0f} streams"
    yield f"  {through.answered} answered, {len(through.failures)} failed"


def figures(row: Row) -> dict[str, Any]:
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
    return _quantiles(_gap_seconds(load))


def _gap_seconds(load: Load) -> list[float]:
    return [gap for sample in load.samples for gap in sample.gaps]


def _quantiles(seconds: Sequence[float]) -> str:
    return " ".join(f"{1000 * quantile(seconds, share):7.1f}" for share in _SHARES)


def _line(name: str, through: str, direct: str) -> str:
    return f"  {name:<34}{through:>24}   straight {direct:>24}"
