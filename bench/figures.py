"""From what was measured to figures, each beside its target: the medians of all alternations."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from bench.load import Load, Sample, quantile
from bench.processes import SERVICES, Memory, ours
from bench.scenarios import TURNS, Calling, Results, Trial

_TURN_CLIENTS = 16
_NEIGHBOURS = 2
"""A turn's latency is the median of this many turns on either side of it too."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure must not exceed, and what we aim at."""

    limit: float
    aim: float | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the report. `direct`: the same of the backend alone, where there is one."""

    name: str
    unit: str
    value: float
    direct: float | None = None
    target: Target | None = None

    @property
    def missed(self) -> bool:
        """Whether the target is exceeded."""
        return self.target is not None and self.value > self.target.limit


@dataclass(frozen=True, slots=True)
class Chapter:
    """Figures that belong together."""

    title: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class ProcessLine:
    """What one process costs: `turn` in ms, `frame` in µs, `at_rest` in % of a core."""

    name: str
    turn: float
    frame: float
    at_rest: float
    idle: Memory
    loaded: Memory


CPU_PER_TURN = Target(4.0, 2.5)
CPU_PER_FRAME = Target(60.0, 25.0)
ADDED = Target(10.0)
FIRST_FRAME_SHARE = Target(25.0)
LAST_TURN_RATIO = Target(1.5)
BYTES_PER_TURN = Target(3000.0)
IDLE_MEMORY = Target(400.0)
CPU_PER_CALL = Target(12.0)


def chapters(results: Results) -> list[Chapter]:
    """Work out the whole report."""
    return [
        Chapter("Plain create, stored", tuple(_plain(results))),
        Chapter("Streaming", tuple(_streaming(results))),
        Chapter(f"A conversation of {TURNS} turns", tuple(_conversation(results))),
        Chapter("A turn with one call of an MCP tool", tuple(_calls(results))),
        Chapter("The five services at rest", tuple(_at_rest(results))),
    ]


def process_lines(results: Results) -> list[ProcessLine]:
    """Share the costs out: turns at 16 clients, frames at the most streams; ours first."""
    turns, streams = results.plain[_TURN_CLIENTS], results.streams[max(results.streams)]
    own = [name for name in SERVICES if name in results.idle]
    return [
        ProcessLine(
            name=name,
            turn=median(1e3 * t.cpu[name] / max(1, t.through.answered) for t in turns),
            frame=median(1e6 * t.cpu[name] / max(1, t.through.frames) for t in streams),
            at_rest=100 * results.idle_cpu[name],
            idle=results.idle[name],
            loaded=results.loaded[name],
        )
        for name in (*own, *(name for name in results.idle if name not in own))
    ]


def _plain(results: Results) -> Iterator[Figure]:
    for clients, trials in results.plain.items():
        name = f"{_clients(clients)}"
        for share in (0.5, 0.95):
            through, direct = _both(trials, lambda load, share=share: load.latency(share))
            yield Figure(f"p{share * 100:.0f}, {name}", "ms", through, direct)
        for share in (0.5, 0.95):
            added = median(t.through.latency(share) - t.direct.latency(share) for t in trials)
            target = ADDED if (clients, share) == (1, 0.5) else None
            yield Figure(f"added p{share * 100:.0f}, {name}", "ms", added, target=target)
        through, direct = _both(trials, lambda load: load.rate)
        yield Figure(f"turns a second, {name}", "1/s", through, direct)
        cpu = median(_cpu_per(trial, trial.through.answered, 1e3) for trial in trials)
        yield Figure(f"CPU a turn, {name}", "ms", cpu, target=CPU_PER_TURN)


def _streaming(results: Results) -> Iterator[Figure]:
    most = max(results.streams, default=0)
    for clients, trials in results.streams.items():
        name, at_most = _clients(clients), clients == most
        readings: tuple[tuple[str, Callable[[Sample], float]], ...] = (
            ("first frame", lambda sample: sample.first_frame),
            ("first delta", lambda sample: sample.first_delta),
            ("whole response", lambda sample: sample.seconds),
        )
        for what, read in readings:
            through, direct = _both(trials, _reading(read))
            yield Figure(f"{what} p50, {name}", "ms", through, direct)
        share, share_direct = _both(trials, _first_frame_share)
        target = FIRST_FRAME_SHARE if at_most else None
        yield Figure(f"first frame / whole response, {name}", "%", share, share_direct, target)
        rate, rate_direct = _both(trials, lambda load: load.frame_rate)
        yield Figure(f"frames a second, {name}", "1/s", rate, rate_direct)
        cpu = median(_cpu_per(trial, trial.through.frames, 1e6) for trial in trials)
        target = CPU_PER_FRAME if at_most else None
        yield Figure(f"CPU a frame, the turn included, {name}", "µs", cpu, target=target)
    if results.long_streams:
        further = _further_frame(results.streams[most], results.long_streams)
        yield Figure(f"CPU of one further frame, {_clients(most)}", "µs", further)


def _conversation(results: Results) -> Iterator[Figure]:
    trials = [t for t in results.chains if len(t.through.samples) == TURNS]
    if not trials:
        return
    for turn in (1, TURNS // 2, TURNS):
        through, direct = _both(trials, lambda load, turn=turn: _turn_latency(load, turn))
        yield Figure(f"latency of turn {turn}", "ms", through, direct)
    through, direct = _both(
        trials, lambda load: _turn_latency(load, TURNS) / _turn_latency(load, 1)
    )
    ratio = f"turn {TURNS} / turn 1"
    yield Figure(ratio, "x", through, direct, LAST_TURN_RATIO)
    turns = sum(len(trial.through.samples) for trial in trials)
    for stream, size in results.stored.streams.items():
        yield Figure(f"stream {stream}, a turn", "B", size / turns)
    yield Figure("documents, a turn", "B", results.stored.documents / turns)
    durable = results.stored.durable / turns
    yield Figure("log and documents, a turn", "B", durable, target=BYTES_PER_TURN)
    yield Figure("files on the disk, a turn", "B", results.stored.disk / turns)


def _calls(results: Results) -> Iterator[Figure]:
    for how, trials in results.calls.items():
        runners = f"{how.runners} runner{'s' if how.runners > 1 else ''}"
        session = "fresh" if how.fresh else "pooled"
        name = f"{session}, {runners}, {_clients(how.clients)}"
        yield Figure(f"p50, {name}", "ms", median(t.through.latency(0.5) for t in trials))
        yield Figure(f"calls a second, {name}", "1/s", median(t.through.rate for t in trials))
        cpu = median(_cpu_per(trial, trial.through.answered, 1e3) for trial in trials)
        yield Figure(f"CPU a turn, {name}", "ms", cpu, target=CPU_PER_CALL)
        for part in ("tool-runner", "orchestrator"):
            own = median(_of(part, trial) / max(1, trial.through.answered) for trial in trials)
            yield Figure(f"  of the {part}{'s' if how.runners > 1 else ''}", "ms", 1e3 * own)


def _of(part: str, trial: Trial) -> float:
    return sum(cpu for name, cpu in trial.cpu.items() if name.partition(" ")[0] == part)


def _at_rest(results: Results) -> Iterator[Figure]:
    yield Figure("CPU", "% of a core", 100 * ours(results.idle_cpu))
    for when, sizes in (("idle", results.idle), ("after the load", results.loaded)):
        target = IDLE_MEMORY if when == "idle" else None
        rss = ours({name: size.rss for name, size in sizes.items()})
        yield Figure(f"resident memory, {when}", "MiB", rss, target=target)
        pss = ours({name: size.pss for name, size in sizes.items()})
        yield Figure(f"proportional memory, {when}", "MiB", pss)


def _both(trials: Sequence[Trial], read: Callable[[Load], float]) -> tuple[float, float]:
    return median(read(t.through) for t in trials), median(read(t.direct) for t in trials)


def _reading(read: Callable[[Sample], float]) -> Callable[[Load], float]:
    return lambda load: 1000 * quantile([read(sample) for sample in load.samples], 0.5)


def _first_frame_share(load: Load) -> float:
    return 100 * quantile([sample.first_frame / sample.seconds for sample in load.samples], 0.5)


def _turn_latency(load: Load, turn: int) -> float:
    low, high = max(0, turn - 1 - _NEIGHBOURS), turn + _NEIGHBOURS
    return 1000 * median(sample.seconds for sample in load.samples[low:high])


def _cpu_per(trial: Trial, number: int, scale: float) -> float:
    return scale * ours(trial.cpu) / max(1, number)


def _further_frame(short: Iterable[Trial], long: Iterable[Trial]) -> float:
    """Take the difference of two stream lengths: what does not belong to the turn."""
    of_short, of_long = (_per_stream(trials) for trials in (short, long))
    frames = of_long[1] - of_short[1]
    return 1e6 * (of_long[0] - of_short[0]) / frames if frames else 0.0


def _per_stream(trials: Iterable[Trial]) -> tuple[float, float]:
    """Give CPU seconds and frames of one stream."""
    readings = [(t, max(1, t.through.answered)) for t in trials]
    cpu = median(ours(trial.cpu) / number for trial, number in readings)
    return cpu, median(trial.through.frames / number for trial, number in readings)


def _clients(number: int) -> str:
    return f"{number} client{'s' if number > 1 else ''}"


def planning_figures(results: Results) -> dict[str, Any]:
    """Give what the capacity model needs, by process where it says so.

    `turn_ms`: CPU of a plain turn at 16 clients; `call_ms`: of a turn that calls one tool, pooled;
    `memory_mib`: resident after the load; `log_bytes` and `document_bytes`: kept of a turn.
    """
    turns = max(1, sum(len(trial.through.samples) for trial in results.chains))
    calls = results.calls.get(Calling(_TURN_CLIENTS), [])
    return {
        "turn_ms": {line.name: line.turn for line in process_lines(results)},
        "call_ms": {
            name: median(1e3 * _of(name, t) / max(1, t.through.answered) for t in calls)
            for name in results.idle
        }
        if calls
        else {},
        "memory_mib": {line.name: line.loaded.rss for line in process_lines(results)},
        "log_bytes": sum(results.stored.streams.values()) / turns,
        "document_bytes": results.stored.documents / turns,
    }
