"""`python -m bench.overload`: goodput at once, twice and five times the rate that can be served.

Clients come at a fixed rate, whether or not others have been answered. Eight places and a backend
that takes a fixed time for each turn say what can be served, so that the machine is not what is
short: what a refusal costs shows as goodput that is missing.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import uvloop

from bench.load import create_body, quantile
from bench.report import machine, record
from bench.stack import Stack, running_backend, running_stack
from bench.wire import Connection, RequestFailedError, Target

_PLACES = 8
_TOKENS = 10
_DELAY_MS = 20.0
_MAX_QUEUE_S = 2.0
_SERVED_PER_S = _PLACES / (_TOKENS * _DELAY_MS / 1000)
_SETTINGS: Mapping[str, str] = {
    "TURNWIRE_MAX_TURNS": str(_PLACES),
    "TURNWIRE_MAX_QUEUE_S": str(_MAX_QUEUE_S),
}
_SECONDS = 10.0
_FACTORS = (1, 2, 5)
_LEAST = 0.8
_REFUSED = ("HTTP 429", "HTTP 503")
_OLD_S = 2 * _MAX_QUEUE_S
"""An answer that comes later is of no use to its client any more."""


@dataclass(slots=True)
class Outcome:
    """What clients saw at one rate."""

    factor: float
    answered: list[float] = field(default_factory=list[float])
    refused: list[float] = field(default_factory=list[float])
    failed: list[str] = field(default_factory=list[str])
    wall: float = 0.0
    memory_mib: float = 0.0
    """What all processes of the stack together hold at the end of the load."""

    @property
    def goodput(self) -> float:
        """Answers a second that came in time."""
        return sum(seconds <= _OLD_S for seconds in self.answered) / self.wall


async def measure() -> Sequence[Outcome]:
    """Start a stack with few places, and ask more and more of it."""
    with tempfile.TemporaryDirectory(prefix="turnwire-bench-") as folder:
        async with (
            running_backend() as backend,
            running_stack(backend, Path(folder) / "data", _SETTINGS) as stack,
        ):
            await backend.answer_with(_TOKENS, _DELAY_MS)
            await _offer(stack, Outcome(1), _SECONDS / 3)
            outcomes = [Outcome(factor) for factor in _FACTORS]
            for outcome in outcomes:
                await _offer(stack, outcome, _SECONDS)
            return outcomes


async def _offer(stack: Stack, outcome: Outcome, seconds: float) -> None:
    """Let clients come for so long, and wait for the last answer."""
    free: list[Connection] = []
    asking: set[asyncio.Task[None]] = set()
    every_s = 1 / (_SERVED_PER_S * outcome.factor)
    began = time.perf_counter()
    for number in range(int(seconds / every_s)):
        due = began + number * every_s
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        task = asyncio.create_task(_ask(stack.target, free, number, outcome))
        asking.add(task)
        task.add_done_callback(asking.discard)
    outcome.wall = time.perf_counter() - began
    sizes = stack.processes.memory().values()
    outcome.memory_mib = sum(size.pss for size in sizes)
    await asyncio.gather(*asking)
    for connection in free:
        connection.close()


async def _ask(target: Target, free: list[Connection], number: int, outcome: Outcome) -> None:
    connection = free.pop() if free else Connection(target)
    began = time.perf_counter()
    try:
        answer = await connection.post(create_body(number))
        if orjson.loads(answer.body)["status"] == "completed":
            outcome.answered.append(answer.seconds)
    except RequestFailedError as error:
        if str(error).startswith(_REFUSED):
            outcome.refused.append(time.perf_counter() - began)
        else:
            outcome.failed.append(str(error))
    free.append(connection)


def _report(outcomes: Sequence[Outcome]) -> str:
    peak = max(outcome.goodput for outcome in outcomes)
    worst = outcomes[-1].goodput / peak
    places = f"{_SERVED_PER_S:g} turns a second can be served ({_PLACES} places)"
    head = f"  {'offered':<10}{'goodput/s':>10}{'of peak':>9}{'answer p50':>12}{'p99 ms':>9}"
    head += f"{'refused':>9}{'refusal p50':>13}{'p99 ms':>9}{'failed':>8}{'MiB':>7}"
    lines = [f"{places}, at most {_MAX_QUEUE_S:g} s in the queue", head]
    for each in outcomes:
        answered, refused = _quantiles(each.answered), _quantiles(each.refused)
        lines.append(
            f"  {each.factor:g} x{'':<7}{each.goodput:>10.1f}{each.goodput / peak:>9.2f}"
            f"{answered[0]:>12.0f}{answered[1]:>9.0f}{len(each.refused):>9}"
            f"{refused[0]:>13.1f}{refused[1]:>9.1f}{len(each.failed):>8}{each.memory_mib:>7.0f}"
        )
    verdict = "ok" if worst >= _LEAST else "MISSED"
    lines.append(f"  goodput at {outcomes[-1].factor:g} x >= {_LEAST:g} of peak: {verdict}")
    return "\n".join(lines)


def _quantiles(seconds: Sequence[float]) -> tuple[float, float]:
    """Give median and ninety-ninth percentile, in milliseconds."""
    return 1000 * quantile(seconds, 0.5), 1000 * quantile(seconds, 0.99)


if __name__ == "__main__":
    text = _report(uvloop.run(measure()))
    sys.stdout.write(f"{machine()}\n{text}\n")
    if "--record" in sys.argv[1:]:
        record(text)
