"""The same loads through one stack that is observed and not, in alternate blocks.

Two processes of the same program may differ by several percent for as long as they live: how their
memory lies is a matter of chance. So both halves are measured in the same processes, which are
switched between (`switch/sitecustomize.py`). Blocks come as on, off, off, on: of two neighbours
that differ comes the figure, of two that are equal how far chance alone sets them apart.
"""

import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from math import floor, sqrt
from pathlib import Path
from statistics import mean, median
from typing import Final

from bench.figures import Chapter, Figure, Target
from bench.load import Load, Shape, closed_loop
from bench.processes import SERVICES, Memory, ours, spent
from bench.stack import Backend, Stack, StackFailedError, running_stack

SAMPLED: Final = "0.01"
TURNS: Final = Shape(16, 200)
STREAMS: Final = Shape(16, 48, 100)
_TOKENS: Final = 16
_WARM_UP: Final = 3
_SWITCHED_WITHIN_S: Final = 10.0
_LOOK_AGAIN_S: Final = 0.01
_MOST_PERCENT: Final = Target(3.0)
_DEVIATIONS: Final = 1.96
"""Of a normal distribution 95 % lie within so many standard deviations."""

_HERE = Path(__file__).parent
_COLLECTOR = _HERE / "collector.py"
_UNOBSERVED: Final = {"TURNWIRE_METRICS": "false"}


@dataclass(frozen=True, slots=True)
class Block:
    """What one block cost: CPU seconds of the five services for a turn, or for a frame."""

    observed: bool
    cost: float


@dataclass(slots=True)
class Comparison:
    """All blocks in their order, and what the services need before the first."""

    turns: list[Block] = field(default_factory=list[Block])
    frames: list[Block] = field(default_factory=list[Block])
    memory: tuple[float, float] = (0.0, 0.0)
    """MiB of the five services, observed and not."""
    failures: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class Estimate:
    """A median in percent, and the 95 % confidence interval of it."""

    middle: float
    low: float
    high: float


async def compare(backend: Backend, pairs: int) -> Comparison:
    """Measure so many pairs of blocks of turns, and as many of streams."""
    measured = Comparison()
    with tempfile.TemporaryDirectory(prefix="turnwire-bench-observing-") as name:
        folder = Path(name)
        unobserved = await _memory(backend, folder / "plain", _UNOBSERVED, measured)
        (switched := folder / "switched").mkdir()
        async with _collector() as url:
            settings = _observed(url, switched)
            observed = await _memory(backend, folder / "memory", settings, measured)
            measured.memory = observed, unobserved
            async with running_stack(backend, folder / "observed", settings) as stack:
                switch = _switch_of(stack, switched)
                for shape, into in ((TURNS, measured.turns), (STREAMS, measured.frames)):
                    for _ in range(_WARM_UP):
                        await _cost(backend, stack, shape, measured)
                    for on in _order(pairs):
                        await switch.turn(observed=on)
                        cost = await _cost(backend, stack, shape, measured, switch)
                        into.append(Block(on, cost))
    return measured


async def _memory(
    backend: Backend, folder: Path, settings: Mapping[str, str], measured: Comparison
) -> float:
    async with running_stack(backend, folder, settings) as stack:
        await _cost(backend, stack, Shape(4, 100), measured)
        return _mib(stack.processes.memory())


def added(blocks: Sequence[Block]) -> Estimate:
    """Give what observing adds: of each two neighbours of which one is observed, their ratio."""
    return _estimate(
        [
            one.cost / other.cost if one.observed else other.cost / one.cost
            for one, other in zip(blocks[::2], blocks[1::2], strict=True)
        ]
    )


def chance(blocks: Sequence[Block]) -> Estimate:
    """Give the same for neighbours that are equal: zero, but for what disturbs the measurement."""
    return _estimate(
        [other.cost / one.cost for one, other in zip(blocks[1:-1:2], blocks[2:-1:2], strict=True)]
    )


def chapter(measured: Comparison) -> Chapter:
    """Give the figures; the column of the backend alone has those of what is not observed."""
    figures = [
        Figure("CPU a turn, beside none of it", "ms", *_means(measured.turns, 1e3)),
        Figure("CPU a frame, beside none of it", "µs", *_means(measured.frames, 1e6)),
        *_figures("turn", measured.turns),
        *_figures("frame", measured.frames),
        Figure("resident memory, beside none of it", "MiB", *measured.memory),
    ]
    return Chapter("Metrics and 1 % of traces", tuple(figures))


def _figures(unit: str, blocks: Sequence[Block]) -> list[Figure]:
    more, equal = added(blocks), chance(blocks)
    return [
        Figure(f"added to a {unit}", "%", more.middle),
        Figure("  at least, of 95 %", "%", more.low),
        Figure("  at most, of 95 %", "%", more.high, target=_MOST_PERCENT),
        Figure(f"between equal blocks, a {unit}", "%", equal.middle),
    ]


def _order(pairs: int) -> list[bool]:
    return [observed for pair in range(pairs) for observed in (pair % 2 == 0, pair % 2 != 0)]


def _estimate(ratios: Sequence[float]) -> Estimate:
    """Give the median, and the readings between which it lies by the binomial distribution."""
    percent = sorted(100 * (ratio - 1) for ratio in ratios)
    # Ranks, so that blocks which the machine disturbed count for one each, however far they lie.
    rank = max(0, floor((len(percent) - _DEVIATIONS * sqrt(len(percent))) / 2))
    return Estimate(median(percent), percent[rank], percent[-1 - rank])


def _means(blocks: Sequence[Block], scale: float) -> tuple[float, float]:
    observed, plain = ([each.cost for each in blocks if each.observed is on] for on in (True, False))
    return scale * mean(observed), scale * mean(plain)


async def _cost(
    backend: Backend, stack: Stack, shape: Shape, measured: Comparison, switch: "_Switch | None" = None
) -> float:
    """Give the CPU seconds of one turn, or of one frame of a stream."""
    await backend.answer_with(shape.deltas or _TOKENS)
    cpu_before = stack.processes.cpu()
    load = await closed_loop(stack.target, shape)
    await stack.processes.quiet()
    if switch is not None:
        # What is left to send to the collector is part of the cost.
        await switch.turn(observed=False)
    measured.failures += load.failures
    return ours(spent(cpu_before, stack.processes.cpu())) / max(1, _number(load, shape))


def _number(load: Load, shape: Shape) -> int:
    return load.frames if shape.streams else load.answered


def _mib(memory: Mapping[str, Memory]) -> float:
    return ours({name: size.rss for name, size in memory.items()})


@dataclass(frozen=True, slots=True)
class _Switch:
    """Says to the services of one stack whether they observe."""

    folder: Path
    """Where each says what it was told last."""
    pids: tuple[int, ...]

    async def turn(self, *, observed: bool) -> None:
        """Tell them all, and wait until each has followed. Raises StackFailedError."""
        number, said = (signal.SIGUSR2, "on") if observed else (signal.SIGUSR1, "off")
        for pid in self.pids:
            (self.folder / str(pid)).unlink(missing_ok=True)
            os.kill(pid, number)
        deadline = time.monotonic() + _SWITCHED_WITHIN_S
        while any(self._last(pid) != said for pid in self.pids):
            if time.monotonic() > deadline:
                raise StackFailedError("a service did not switch its metrics and traces")
            await asyncio.sleep(_LOOK_AGAIN_S)

    def _last(self, pid: int) -> str:
        path = self.folder / str(pid)
        return path.read_text(encoding="ascii") if path.exists() else ""


def _switch_of(stack: Stack, folder: Path) -> _Switch:
    pids = stack.processes.pids.items()
    return _Switch(folder, tuple(pid for name, pid in pids if name.partition(" ")[0] in SERVICES))


def _observed(url: str, switched: Path) -> dict[str, str]:
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": url,
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": SAMPLED,
        "BENCH_SWITCHED": str(switched),
        "PYTHONPATH": str(_HERE / "switch"),
    }


@asynccontextmanager
async def _collector() -> AsyncGenerator[str]:
    """Run a collector that takes everything and keeps nothing; gives its URL."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(_COLLECTOR), stdout=asyncio.subprocess.PIPE
    )
    if process.stdout is None:
        raise TypeError("the collector was started without a pipe")
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.kill()
        await process.wait()
