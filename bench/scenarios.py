"""The loads of one run: each through the stack and straight to the backend, in turn."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bench.load import Load, Shape, chain, closed_loop
from bench.processes import Memory, spent
from bench.stack import Backend, Stack, more_runners, running_tool_server
from bench.storage import Stored, stored_by

TURNS = 100
"""Turns of a conversation."""

DELTAS = 100
LONG_DELTAS = 400
"""Deltas of a stream; the difference of the two gives what one more frame costs."""

_PLAIN_TOKENS = 16
_RUNNERS = (1, 3)
_IDLE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is sent: requests of one load by its number of clients, and repetitions."""

    repeat: int
    plain: Mapping[int, int]
    streams: Mapping[int, int]
    long_streams: int
    chains: int
    calls: Mapping[int, int]


FULL = Plan(3, {1: 300, 16: 800, 64: 1600}, {1: 40, 32: 192}, 64, 3, {1: 150, 16: 480})
QUICK = Plan(1, {1: 150, 16: 320, 64: 512}, {1: 16, 32: 96}, 32, 1, {1: 60, 16: 192})


@dataclass(frozen=True, slots=True)
class Trial:
    """The same load both ways, and the CPU seconds it cost the stack, by process."""

    direct: Load
    through: Load
    cpu: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Calling:
    """How turns were made that each call a tool of an MCP server once."""

    clients: int
    runners: int = 1
    fresh: bool = False
    """Whether each turn opens a session with the server; else they share one that is open."""


@dataclass(slots=True)
class Results:
    """All that one run has measured; `plain` and `streams` by number of clients."""

    plain: dict[int, list[Trial]] = field(default_factory=dict[int, list[Trial]])
    streams: dict[int, list[Trial]] = field(default_factory=dict[int, list[Trial]])
    long_streams: list[Trial] = field(default_factory=list[Trial])
    chains: list[Trial] = field(default_factory=list[Trial])
    calls: dict[Calling, list[Trial]] = field(default_factory=dict[Calling, list[Trial]])
    stored: Stored = field(default_factory=Stored)
    idle: Mapping[str, Memory] = field(default_factory=dict[str, Memory])
    loaded: Mapping[str, Memory] = field(default_factory=dict[str, Memory])
    idle_cpu: Mapping[str, float] = field(default_factory=dict[str, float])

    @property
    def failures(self) -> list[str]:
        """Why requests failed, whichever way they went."""
        return [
            f"{way}: {why}"
            for trial in self._trials()
            for way, load in (("through", trial.through), ("direct", trial.direct))
            for why in load.failures
        ]

    @property
    def requests(self) -> int:
        """How many requests through the stack were answered."""
        return sum(trial.through.answered for trial in self._trials())

    def _trials(self) -> Iterator[Trial]:
        for trials in (*self.plain.values(), *self.streams.values(), *self.calls.values()):
            yield from trials
        yield from self.long_streams
        yield from self.chains


async def measure(backend: Backend, stack: Stack, plan: Plan) -> Results:
    """Run the whole plan; conversations first, while the store is as good as empty."""
    results, bench = Results(), _Bench(backend, stack)
    await bench.warm_up()
    results.idle = stack.processes.memory()
    results.idle_cpu = await bench.idle_cpu()
    await bench.converse(results, plan.chains)
    for _ in range(plan.repeat):
        for clients, requests in plan.plain.items():
            trial = await bench.compare(Shape(clients, requests))
            results.plain.setdefault(clients, []).append(trial)
        for clients, requests in plan.streams.items():
            trial = await bench.compare(Shape(clients, requests, DELTAS))
            results.streams.setdefault(clients, []).append(trial)
        most = max(plan.streams)
        results.long_streams.append(
            await bench.compare(Shape(most, plan.long_streams, LONG_DELTAS))
        )
    results.loaded = stack.processes.memory()
    if stack.environment:
        await bench.call_tools(results, plan)
    return results


async def compare(backend: Backend, stack: Stack, shape: Shape) -> Trial:
    """Send one load straight to the backend, then through the stack, to the end of its work."""
    direct = await closed_loop(backend.target, shape)
    cpu_before = stack.processes.cpu()
    through = await closed_loop(stack.target, shape)
    await stack.processes.quiet()
    return Trial(direct, through, spent(cpu_before, stack.processes.cpu()))


class _Bench:
    def __init__(self, backend: Backend, stack: Stack) -> None:
        self._backend = backend
        self._stack = stack

    async def warm_up(self) -> None:
        """Let every code path run once, so that imports and first connections are not measured."""
        for shape in (Shape(4, 20), Shape(4, 8, DELTAS)):
            await self.compare(shape)

    async def idle_cpu(self) -> Mapping[str, float]:
        """Measure what waiting costs: CPU seconds a second, by process."""
        cpu_before = self._stack.processes.cpu()
        await asyncio.sleep(_IDLE_SECONDS)
        after = self._stack.processes.cpu()
        return {name: seconds / _IDLE_SECONDS for name, seconds in spent(cpu_before, after).items()}

    async def compare(self, shape: Shape) -> Trial:
        """Send one load both ways; streams have as many tokens as the shape says."""
        await self._backend.answer_with(shape.deltas or _PLAIN_TOKENS)
        return await compare(self._backend, self._stack, shape)

    async def call_tools(self, results: Results, plan: Plan) -> None:
        """Have turns call tools, with one runner and with three."""
        await self._backend.answer_with(_PLAIN_TOKENS)
        async with running_tool_server() as url:
            for runners in _RUNNERS:
                async with more_runners(self._stack, runners - 1) as stack:
                    await _called(stack, Shape(4, 20, tools=url))
                    for clients, requests in plan.calls.items() if runners == 1 else _most(plan):
                        for fresh in (False, True):
                            shape = Shape(clients, requests, tools=f"{url}/{{}}" if fresh else url)
                            trials = results.calls.setdefault(Calling(clients, runners, fresh), [])
                            trials += [await _called(stack, shape) for _ in range(plan.repeat)]

    async def converse(self, results: Results, chains: int) -> None:
        """Have conversations one after another, and weigh what they leave behind."""
        await self._backend.answer_with(_PLAIN_TOKENS)
        kept = await stored_by(self._stack)
        for _ in range(chains):
            direct = await chain(self._backend.target, TURNS)
            cpu_before = self._stack.processes.cpu()
            through = await chain(self._stack.target, TURNS)
            await self._stack.processes.quiet()
            cpu = spent(cpu_before, self._stack.processes.cpu())
            results.chains.append(Trial(direct, through, cpu))
        results.stored = (await stored_by(self._stack)).since(kept)


async def _called(stack: Stack, shape: Shape) -> Trial:
    cpu_before = stack.processes.cpu()
    through = await closed_loop(stack.target, shape)
    await stack.processes.quiet()
    return Trial(Load(), through, spent(cpu_before, stack.processes.cpu()))


def _most(plan: Plan) -> list[tuple[int, int]]:
    return [(clients, plan.calls[clients]) for clients in (max(plan.calls),)]
