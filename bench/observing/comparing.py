"""The same loads through a stack that is observed and one that is not, one after the other."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

from bench.figures import Chapter, Figure, Target
from bench.load import Load, Shape, closed_loop
from bench.processes import Memory, ours, spent
from bench.stack import Backend, Stack, running_stack

SAMPLED: Final = "0.01"
TURNS: Final = Shape(16, 400)
STREAMS: Final = Shape(16, 64, 100)
_TOKENS: Final = 16
_MOST_PERCENT: Final = Target(3.0)

_COLLECTOR = Path(__file__).with_name("collector.py")
_UNOBSERVED: Final = {"TURNWIRE_METRICS": "false"}


@dataclass(slots=True)
class Pairs:
    """CPU seconds of the five services, per turn or per frame: observed beside unobserved."""

    turns: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    frames: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    memory: tuple[float, float] = (0.0, 0.0)
    failures: list[str] = field(default_factory=list[str])


async def compare(backend: Backend, rounds: int) -> Pairs:
    """Run both stacks and load them in turn, the first of a round being the second of the next."""
    pairs = Pairs()
    with tempfile.TemporaryDirectory(prefix="turnwire-bench-observing-") as folder:
        async with (
            _collector() as url,
            running_stack(backend, Path(folder) / "on", _observed(url)) as on,
            running_stack(backend, Path(folder) / "off", _UNOBSERVED) as off,
        ):
            for stack in (on, off):
                await _cpu(backend, stack, Shape(4, 20), pairs)
                await _cpu(backend, stack, Shape(4, 8, 100), pairs)
            pairs.memory = (_mib(on.processes.memory()), _mib(off.processes.memory()))
            for number in range(rounds):
                for shape, into in ((TURNS, pairs.turns), (STREAMS, pairs.frames)):
                    into.append(await _pair(backend, (on, off), shape, number, pairs))
    return pairs


def chapter(pairs: Pairs) -> Chapter:
    """Give the figures; the column of the backend alone has those of the unobserved stack."""
    figures = [
        Figure("CPU a turn, beside none of it", "ms", *_medians(pairs.turns, 1e3)),
        Figure("CPU a frame, beside none of it", "µs", *_medians(pairs.frames, 1e6)),
        Figure("added to a turn", "%", _added(pairs.turns), target=_MOST_PERCENT),
        Figure("added to a frame", "%", _added(pairs.frames), target=_MOST_PERCENT),
        Figure("resident memory, beside none of it", "MiB", *pairs.memory),
    ]
    return Chapter("Metrics and 1 % of traces", tuple(figures))


async def _pair(
    backend: Backend, stacks: tuple[Stack, Stack], shape: Shape, number: int, pairs: Pairs
) -> tuple[float, float]:
    on, off = stacks
    if number % 2:
        observed = await _cpu(backend, on, shape, pairs)
        return observed, await _cpu(backend, off, shape, pairs)
    unobserved = await _cpu(backend, off, shape, pairs)
    return await _cpu(backend, on, shape, pairs), unobserved


async def _cpu(backend: Backend, stack: Stack, shape: Shape, pairs: Pairs) -> float:
    """Give the CPU seconds of one turn, or of one frame of a stream."""
    await backend.answer_with(shape.deltas or _TOKENS)
    before = stack.processes.cpu()
    load = await closed_loop(stack.target, shape)
    await stack.processes.quiet()
    pairs.failures += load.failures
    return ours(spent(before, stack.processes.cpu())) / max(1, _number(load, shape))


def _number(load: Load, shape: Shape) -> int:
    return load.frames if shape.streams else load.answered


def _medians(pairs: list[tuple[float, float]], scale: float) -> tuple[float, float]:
    return scale * median(on for on, _ in pairs), scale * median(off for _, off in pairs)


def _added(pairs: list[tuple[float, float]]) -> float:
    """Give the median of each round's own ratio: what the machine does meanwhile meets both."""
    return 100 * (median(on / off for on, off in pairs) - 1)


def _mib(memory: Mapping[str, Memory]) -> float:
    return ours({name: size.rss for name, size in memory.items()})


def _observed(url: str) -> dict[str, str]:
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": url,
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": SAMPLED,
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
