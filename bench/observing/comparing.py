"""The same loads through an observed stack and two that are not, alternately.

Two processes of the same program may differ by several percent for as long as they live: how their
memory lies is a matter of chance. So each round starts its stacks anew, and the second unobserved
one shows how far equal stacks are apart in this run.
"""

import asyncio
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median
from typing import Final

from bench.figures import Chapter, Figure, Target
from bench.load import Load, Shape, closed_loop
from bench.processes import Memory, ours, spent
from bench.stack import Backend, Stack, running_stack

SAMPLED: Final = "0.01"
TURNS: Final = Shape(16, 400)
STREAMS: Final = Shape(16, 64, 100)
_TOKENS: Final = 16
_PASSES: Final = 4
"""How often a round loads each of its stacks."""
_MOST_PERCENT: Final = Target(3.0)

_COLLECTOR = Path(__file__).with_name("collector.py")
_UNOBSERVED: Final = {"TURNWIRE_METRICS": "false"}

Cost = dict[str, float]
"""CPU seconds of the five services for one unit of work, by the name of the stack."""
_ON, _OFF, _EQUAL = "observed", "unobserved", "unobserved too"


@dataclass(slots=True)
class Rounds:
    """What each round cost: a turn, and a frame of a stream."""

    turns: list[Cost] = field(default_factory=list[Cost])
    frames: list[Cost] = field(default_factory=list[Cost])
    memory: dict[str, float] = field(default_factory=dict[str, float])
    """MiB of the five services before the first load."""
    failures: list[str] = field(default_factory=list[str])


async def compare(backend: Backend, rounds: int) -> Rounds:
    """Measure `rounds` times, each time with new processes."""
    measured = Rounds()
    async with _collector() as url:
        for number in range(rounds):
            await _round(backend, url, number, measured)
    return measured


def chapter(rounds: Rounds) -> Chapter:
    """Give the figures; the column of the backend alone has those of the unobserved stack."""
    figures = [
        Figure("CPU a turn, beside none of it", "ms", *_medians(rounds.turns, 1e3)),
        Figure("CPU a frame, beside none of it", "µs", *_medians(rounds.frames, 1e6)),
        Figure("added to a turn", "%", _added(rounds.turns, _ON), target=_MOST_PERCENT),
        Figure("added to a frame", "%", _added(rounds.frames, _ON), target=_MOST_PERCENT),
        Figure("between equal stacks, a turn", "%", _added(rounds.turns, _EQUAL)),
        Figure("between equal stacks, a frame", "%", _added(rounds.frames, _EQUAL)),
        Figure(
            "resident memory, beside none of it",
            "MiB",
            rounds.memory.get(_ON, 0.0),
            rounds.memory.get(_OFF, 0.0),
        ),
    ]
    return Chapter("Metrics and 1 % of traces", tuple(figures))


async def _round(backend: Backend, url: str, number: int, measured: Rounds) -> None:
    settings = {_ON: _observed(url), _OFF: _UNOBSERVED, _EQUAL: _UNOBSERVED}
    async with AsyncExitStack() as opened:
        prefix = "turnwire-bench-observing-"
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix=prefix)))
        stacks = {
            name: await opened.enter_async_context(running_stack(backend, folder / name, told))
            for name, told in settings.items()
        }
        for stack in stacks.values():
            await _cpu(backend, stack, Shape(4, 100), measured)
            await _cpu(backend, stack, Shape(4, 8, 100), measured)
        if not measured.memory:
            measured.memory = {
                name: _mib(stack.processes.memory()) for name, stack in stacks.items()
            }
        for shape, into in ((TURNS, measured.turns), (STREAMS, measured.frames)):
            passes: dict[str, list[float]] = {name: [] for name in stacks}
            for turn in range(_PASSES):
                for name in _rotated([*stacks], number + turn):
                    passes[name].append(await _cpu(backend, stacks[name], shape, measured))
            into.append({name: mean(costs) for name, costs in passes.items()})


def _rotated(names: list[str], by: int) -> list[str]:
    """Let each be the first as often as the others: the one before leaves its caches behind."""
    at = by % len(names)
    return names[at:] + names[:at]


async def _cpu(backend: Backend, stack: Stack, shape: Shape, measured: Rounds) -> float:
    """Give the CPU seconds of one turn, or of one frame of a stream."""
    await backend.answer_with(shape.deltas or _TOKENS)
    cpu_before = stack.processes.cpu()
    load = await closed_loop(stack.target, shape)
    await stack.processes.quiet()
    measured.failures += load.failures
    return ours(spent(cpu_before, stack.processes.cpu())) / max(1, _number(load, shape))


def _number(load: Load, shape: Shape) -> int:
    return load.frames if shape.streams else load.answered


def _medians(rounds: list[Cost], scale: float) -> tuple[float, float]:
    return scale * median(each[_ON] for each in rounds), scale * median(
        each[_OFF] for each in rounds
    )


def _added(rounds: list[Cost], name: str) -> float:
    """Give the median of each round's own ratio: what the machine does meanwhile meets all."""
    return 100 * (median(each[name] / _plain(each, name) for each in rounds) - 1)


def _plain(cost: Cost, beside: str) -> float:
    """Give the cost of what is not observed: of both such stacks, but for one beside itself."""
    return cost[_OFF] if beside == _EQUAL else mean((cost[_OFF], cost[_EQUAL]))


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
