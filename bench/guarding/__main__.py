"""`python -m bench.guarding`: turns with and without a policy, side by side; and checks alone."""

import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson
import uvloop

from bench.guarding.policies import INPUT_BYTES, PATTERNS, content, policy
from bench.load import quantile
from bench.processes import cpu_seconds
from bench.report import machine, record
from bench.stack import Stack, running_backend, running_stack
from bench.wire import Connection
from turnwire_chassis.broker import ask, connect
from turnwire_contracts.queries import GUARD_CHECK, AskForCheck, Verdict

_ROUNDS = 5
_TURNS = 60
_CHECKS = 500
_TIMEOUT_S = 10.0
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
            seconds: dict[str, list[float]] = {"plain": [], "guarded": []}
            for _ in range(_ROUNDS):
                seconds["plain"] += await _turns(plain)
                seconds["guarded"] += await _turns(guarded)
            checks, cpu = await _checks(guarded)
    return _report(seconds, checks, cpu)


def _write(path: Path) -> None:
    path.write_text(policy(), encoding="utf-8")


async def _turns(stack: Stack) -> list[float]:
    connection = Connection(stack.target)
    body = orjson.dumps({"model": "bench-model", "input": content(), "store": True})
    await connection.post(body)
    seconds = [(await connection.post(body)).seconds for _ in range(_TURNS)]
    connection.close()
    return seconds


async def _checks(stack: Stack) -> tuple[list[float], float]:
    """Ask the guard itself; gives the times and its CPU a check, in seconds."""
    told = json.loads((stack.data_dir / "run.json").read_text(encoding="utf-8"))
    client = await connect(told["nats_url"], "bench")
    pid = stack.processes.pids["guard"]
    question, seconds = AskForCheck("input", content()), list[float]()
    before = cpu_seconds(pid)
    for _ in range(_CHECKS):
        began = time.perf_counter()
        verdict = await ask(client, GUARD_CHECK, question, _TIMEOUT_S)
        seconds.append(time.perf_counter() - began)
        assert isinstance(verdict, Verdict)
        assert verdict.safe
    cpu = (cpu_seconds(pid) - before) / _CHECKS
    await client.close()
    return seconds, cpu


def _report(turns: Mapping[str, Sequence[float]], checks: Sequence[float], cpu: float) -> str:
    def shown(name: str, seconds: Sequence[float]) -> str:
        half, late = (1000 * quantile(seconds, share) for share in (0.5, 0.99))
        return f"  {name:<34}{half:8.2f} ms p50{late:10.2f} ms p99"

    added = 1000 * (quantile(turns["guarded"], 0.5) - quantile(turns["plain"], 0.5))
    verdict = "ok" if added <= _ADDED_MS else "MISSED"
    lines = [
        f"The guard: {PATTERNS} patterns, {INPUT_BYTES} bytes, one client",
        shown("a turn without a policy", turns["plain"]),
        shown("a turn with it", turns["guarded"]),
        f"  {'added to a turn':<34}{added:8.2f} ms p50   <= {_ADDED_MS:g} {verdict}",
        shown("a check alone, over the broker", checks),
        f"  {'CPU of the guard, a check':<34}{1_000_000 * cpu:8.0f} µs",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    text = uvloop.run(measure())
    sys.stdout.write(f"{machine()}\n{text}\n")
    if "--record" in sys.argv[1:]:
        record(text)
