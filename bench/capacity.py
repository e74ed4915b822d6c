"""`python -m bench.capacity`: how much CPU, memory and disk so many turns a second need.

A model of sums: what one turn, one token and one tool call cost each process was measured
(`measured.json`, written by `--record` of `bench` and `bench.pacing`); this multiplies it. Costs
of a token are those at a real model's pace, where a process is woken for each; under more load a
token costs less, so the numbers err on the large side.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, inf
from typing import Any

from bench.measured import newest
from bench.processes import SERVICES

BROKER, DATABASE = "nats", "mongo"
_STREAMS = 128
"""The row of `bench.pacing` whose costs count: one gateway, one orchestrator, so many streams."""

_APPENDS_A_SECOND = 12_600
"""Confirmed appends of one stream with three replicas on loopback, 64 at once (nats-server 2.15.1,
two cores). Networks and disks decide about yours: `nats bench js pub` measures it."""

_EVENTS_A_TURN = 2
_EVENTS_A_CALL = 3
_DAY = 86_400
_PRICES = ("turn_ms", "call_ms", "memory_mib")


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of the system."""

    turns: float
    """A second."""
    tokens: float = 300
    """Of a streamed answer."""
    pace_ms: float = 20.0
    calls: float = 0.2
    """Of MCP tools, a turn."""
    utilisation: float = 0.6
    """How busy a core may be: the rest is for bursts, and for the members that are left when one
    dies."""
    retention_days: float = 30.0
    replicas: int = 3


@dataclass(frozen=True, slots=True)
class Costs:
    """What was measured: CPU milliseconds and resident MiB by process, bytes of a turn."""

    turn_ms: Mapping[str, float]
    token_ms: Mapping[str, float]
    call_ms: Mapping[str, float]
    memory_mib: Mapping[str, float]
    log_bytes: float
    document_bytes: float


@dataclass(frozen=True, slots=True)
class Needs:
    """What a load needs. `cores` by process; `members`: how many processes of each service."""

    load: Load
    cores: Mapping[str, float]
    members: Mapping[str, int]
    memory_mib: float
    open_streams: float
    appends: float
    log_gib: float
    documents_gib: float
    limits: Sequence[str] = field(default_factory=tuple)
    """What one cluster of the broker, or the one store that projects, cannot do."""


def measured_costs() -> Costs:
    """Read the newest figures. Raises `KeyError` when a program was never recorded."""
    turns, pacing = newest("turns"), newest("pacing")
    row = min(pacing["rows"], key=lambda each: abs(each["streams"] - _STREAMS))
    turn_ms, call_ms, memory = (turns[name] for name in _PRICES)
    return Costs(
        turn_ms=turn_ms,
        token_ms={name: _token_ms(row, name, turn_ms) for name in turn_ms},
        call_ms={name: max(0.0, cost - turn_ms[name]) for name, cost in call_ms.items()},
        memory_mib=memory,
        log_bytes=turns["log_bytes"],
        document_bytes=turns["document_bytes"],
    )


def needs(load: Load, costs: Costs) -> Needs:
    """Multiply."""
    cores = {name: load.turns * _a_turn(load, costs, name) / 1000 for name in costs.turn_ms}
    members = {name: max(1, ceil(cores[name] / load.utilisation)) for name in SERVICES}
    appends = load.turns * (_EVENTS_A_TURN + load.calls * _EVENTS_A_CALL)
    kept = load.turns * _DAY * (load.retention_days or inf) / 1024**3
    return Needs(
        load=load,
        cores=cores,
        members=members,
        memory_mib=sum(costs.memory_mib[name] * number for name, number in members.items()),
        open_streams=load.turns * load.tokens * load.pace_ms / 1000,
        appends=appends,
        log_gib=kept * costs.log_bytes * load.replicas,
        documents_gib=kept * costs.document_bytes * load.replicas,
        limits=tuple(_limits(load, costs, appends)),
    )


def _a_turn(load: Load, costs: Costs, name: str) -> float:
    """Give the CPU milliseconds of one process for one turn with its tokens and calls."""
    calls = load.calls * costs.call_ms.get(name, 0.0)
    return costs.turn_ms[name] + load.tokens * costs.token_ms[name] + calls


def _token_ms(row: Mapping[str, Any], name: str, turn_ms: Mapping[str, float]) -> float:
    """Take what belongs to the turn out of the cost of its frames."""
    stream_ms = row["frame_us"].get(name, 0.0) * row["frames"] / 1000
    return max(0.0, stream_ms - turn_ms[name]) / row["tokens"]


def _limits(load: Load, costs: Costs, appends: float) -> Iterator[str]:
    most = load.utilisation * _APPENDS_A_SECOND
    if appends > most:
        yield f"{appends:,.0f} appends a second are more than one NATS cluster's {most:,.0f}"
    projecting = load.turns * costs.turn_ms["store"] / 1000
    if projecting > load.utilisation:
        yield f"the one store that projects would need {projecting:.1f} cores"


def table(all_needs: Sequence[Needs]) -> str:
    """Lay out several loads side by side, as a Markdown table."""
    rows = [
        ("turns a second", [f"{each.load.turns:,.0f}" for each in all_needs]),
        ("streams open at once", [f"{each.open_streams:,.0f}" for each in all_needs]),
        *(
            (f"{name}: cores (members)", [_members(each, name) for each in all_needs])
            for name in SERVICES
        ),
        ("broker: cores", [f"{each.cores[BROKER]:.1f}" for each in all_needs]),
        ("database: cores", [f"{each.cores[DATABASE]:.1f}" for each in all_needs]),
        ("memory of the services, GiB", [f"{each.memory_mib / 1024:.1f}" for each in all_needs]),
        ("appends a second", [f"{each.appends:,.0f}" for each in all_needs]),
        ("log on disk, all replicas, GiB", [f"{each.log_gib:,.0f}" for each in all_needs]),
        ("documents, all replicas, GiB", [f"{each.documents_gib:,.0f}" for each in all_needs]),
        ("beyond one cluster", ["; ".join(each.limits) or "no" for each in all_needs]),
    ]
    head, *rest = (f"| {name} | {' | '.join(cells)} |" for name, cells in rows)
    return "\n".join([head, "|---" * (len(all_needs) + 1) + "|", *rest])


def _members(needed: Needs, name: str) -> str:
    return f"{needed.cores[name]:.2f} ({needed.members[name]})"


def parse(arguments: Sequence[str]) -> list[Load]:
    """Read the command line: one load for each number of turns a second."""
    usual = Load(turns=0)
    parser = argparse.ArgumentParser(prog="bench.capacity", description=__doc__)
    parser.add_argument("--turns", type=float, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--tokens", type=float, default=usual.tokens, help="of an answer")
    parser.add_argument("--pace-ms", type=float, default=usual.pace_ms, help="between tokens")
    parser.add_argument("--calls", type=float, default=usual.calls, help="of tools, a turn")
    parser.add_argument("--utilisation", type=float, default=usual.utilisation)
    parser.add_argument("--retention-days", type=float, default=usual.retention_days)
    parser.add_argument("--replicas", type=int, default=usual.replicas)
    told = vars(parser.parse_args(arguments))
    return [Load(turns=turns, **told) for turns in told.pop("turns")]


if __name__ == "__main__":
    costs = measured_costs()
    sys.stdout.write(table([needs(load, costs) for load in parse(sys.argv[1:])]) + "\n")
