"""`python -m bench.guarding`: turns with and without a policy, side by side; and checks alone."""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import orjson
import uvloop

from bench.guarding.policies import INPUT_BYTES, PATTERNS, content, policy
from bench.load import quantile
from bench.processes import cpu_seconds, ours
from bench.report import machine, record
from bench.stack import Stack, running_backend, running_stack
from bench.wire import Connection

_TURNS = 300
_CHECKS = 500
_ADDED_MS = 3.0


async def measure() -> str:
    """Start both stacks, measure, and write the report."""
    with tempfile.TemporaryDirectory(prefix="turnwire-bench-") as folder:
        path = Path(folder) / "policy.yaml"
        _write(path)
        guarded_by = {"TURNWIRE_GUARD_POLICY": str(path)}
        async with (
            running_backend() as backend,
            running_stack(backend, Path(folder) / "plain") as plain,
            running_stack(backend, Path(folder) / "guarded", guarded_by) as guarded,
        ):
            before = [ours(stack.processes.cpu()) for stack in (plain, guarded)]
            turns = await _turns(plain, guarded)
            after = [ours(stack.processes.cpu()) for stack in (plain, guarded)]
            checks, cpu = await _checks(guarded)
    spent = [now - then for now, then in zip(after, before, strict=True)]
    costs = {
        "CPU added to a turn, all services": (spent[1] - spent[0]) / _TURNS,
        "CPU of the guard, a check": cpu,
    }
    return _report(turns, checks, costs)


def _write(path: Path) -> None:
    path.write_text(policy(), encoding="utf-8")


async def _turns(*stacks: Stack) -> list[list[float]]:
    """Ask the stacks in turn, so that whatever else the machine does meets all of them alike."""
    fields = {"model": "bench-model", "input": content(), "store": True}
    body = orjson.dumps(fields)
    connections = [Connection(stack.target) for stack in stacks]
    seconds: list[list[float]] = [[] for _ in stacks]
    for connection in connections:
        await connection.post(body)
    pairs = list(zip(connections, seconds, strict=True))
    for _ in range(_TURNS):
        for connection, into in pairs:
            into.append((await connection.post(body)).seconds)
        # What a turn leaves to be done meets the next one: neither is always the next.
        pairs.reverse()
    for connection in connections:
        connection.close()
    return seconds


async def _checks(stack: Stack) -> tuple[list[float], float]:
    """Have content checked that belongs to no turn; gives the times and the guard's CPU a check."""
    checks = Connection(replace(stack.target, path="/v1/check"))
    body = orjson.dumps({"check_type": "input", "input": content()})
    pid = stack.processes.pids["guard"]
    before = cpu_seconds(pid)
    await checks.post(body)
    seconds = [(await checks.post(body)).seconds for _ in range(_CHECKS)]
    checks.close()
    return seconds, (cpu_seconds(pid) - before) / (_CHECKS + 1)


def _report(
    turns: Sequence[Sequence[float]], checks: Sequence[float], costs: Mapping[str, float]
) -> str:
    def shown(name: str, seconds: Sequence[float]) -> str:
        half, late = (1000 * quantile(seconds, share) for share in (0.5, 0.99))
        return f"  {name:<34}{half:8.2f} ms p50{late:10.2f} ms p99"

    plain, guarded = turns
    added = 1000 * (quantile(guarded, 0.5) - quantile(plain, 0.5))
    verdict = "ok" if added <= _ADDED_MS else "MISSED"
    lines = [
        f"The guard: {PATTERNS} patterns, {INPUT_BYTES} bytes, one client",
        shown("a turn without a policy", plain),
        shown("a turn with it", guarded),
        f"  {'added to a turn':<34}{added:8.2f} ms p50   <= {_ADDED_MS:g} {verdict}",
        shown("POST /v1/check", checks),
        *(f"  {name:<34}{1_000_000 * each:8.0f} µs" for name, each in costs.items()),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    text = uvloop.run(measure())
    sys.stdout.write(f"{machine()}\n{text}\n")
    if "--record" in sys.argv[1:]:
        record(text)
