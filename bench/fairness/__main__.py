"""`python -m bench.fairness`: a tenant alone, and beside one that floods.

Once the flood is at its limits, and the machine is what is short; once it has none and eight turns
run at once, each a fifth of a second at the backend: then places are what is short.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

import aiohttp
import uvloop

from bench.load import create_body, quantile
from bench.report import machine, record
from bench.stack import Stack, running_backend, running_stack
from bench.wire import Connection, RequestFailedError, Target

LIMITS = """
limits:
  default: { requests_per_minute: 600, concurrent_turns: 2 }
  tenants:
    quiet: { requests_per_minute: unlimited, concurrent_turns: unlimited }
"""
_SECONDS = 5.0
_QUIET_CLIENTS = 4
_FLOOD_PAUSE_S = 0.1
"""The flooding clients know no `Retry-After`."""
_MOST = 2.0
_KEYS_KNOWN_WITHIN_S = 15.0
_UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True)
class Case:
    """What floods, and what is short."""

    title: str
    flood_clients: int
    rounds: int
    settings: Mapping[str, str]
    limits: str = ""
    tokens: int = 0
    delay_ms: float = 0.0


CASES = (
    Case("at its limits (2 turns at once)", 16, 4, {}, LIMITS),
    Case(
        "without limits, 8 places",
        *(32, 3, {"TURNWIRE_MAX_TURNS": "8"}),
        tokens=10,
        delay_ms=20.0,
    ),
)


@dataclass(slots=True)
class Part:
    """What one tenant's clients saw."""

    seconds: list[float] = field(default_factory=list[float])
    refused: int = 0

    def latency(self, share: float) -> float:
        """Give a quantile, in milliseconds."""
        return 1000 * quantile(self.seconds, share)


@dataclass(frozen=True, slots=True)
class Round:
    """The quiet tenant alone, then beside the other."""

    alone: Part
    beside: Part
    flood: Part

    def ratio(self, share: float) -> float:
        """Say how much slower the quiet tenant was."""
        return self.beside.latency(share) / self.alone.latency(share)


async def measure(case: Case) -> Sequence[Round]:
    """Start a stack with two tenants, and load it."""
    with tempfile.TemporaryDirectory(prefix="turnwire-bench-") as folder:
        path = Path(folder) / "limits.yaml"
        path.write_text(case.limits, encoding="utf-8")
        settings = {"TURNWIRE_LIMITS": str(path)} if case.limits else {}
        settings |= case.settings
        async with (
            running_backend() as backend,
            running_stack(backend, Path(folder) / "data", settings) as stack,
        ):
            if case.tokens:
                await backend.answer_with(case.tokens, case.delay_ms)
            quiet = replace(stack.target, token=await _key(stack, "quiet"))
            await _keys_are_known(stack)
            await _load(quiet, _QUIET_CLIENTS, _SECONDS / 3)
            return [await _round(case, stack, quiet, number) for number in range(case.rounds)]


async def _round(case: Case, stack: Stack, quiet: Target, number: int) -> Round:
    # A new tenant each time: the last one has used up its minute.
    flood = replace(stack.target, token=await _key(stack, f"flood{number}"))
    await _can_be_used(stack, flood.token)
    alone = await _load(quiet, _QUIET_CLIENTS, _SECONDS)
    beside, other = await asyncio.gather(
        _load(quiet, _QUIET_CLIENTS, _SECONDS),
        _load(flood, case.flood_clients, _SECONDS, _FLOOD_PAUSE_S),
    )
    return Round(alone, beside, other)


async def _key(stack: Stack, tenant: str) -> str:
    """Make an API key."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("TURNWIRE_")}
    create = ("keys", "create", "--tenant", tenant, "--user", "bench", "--role", "user")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "turnwire_dev", *create),
        env={**environ, "TURNWIRE_DATA_DIR": str(stack.data_dir)},
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    return said.decode().split()[-1]


async def _keys_are_known(stack: Stack) -> None:
    """Wait until the API refuses requests without a key."""
    await _answers(stack, None, _UNAUTHORIZED)


async def _can_be_used(stack: Stack, token: str) -> None:
    await _answers(stack, token, 200)


async def _answers(stack: Stack, token: str | None, status: int) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with asyncio.timeout(_KEYS_KNOWN_WITHIN_S), aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"{stack.url}/v1/models", headers=headers) as response:
                if response.status == status:
                    return
            await asyncio.sleep(0.1)


async def _load(target: Target, clients: int, seconds: float, pause_s: float = 0.0) -> Part:
    part, until = Part(), time.perf_counter() + seconds

    async def client(number: int) -> None:
        connection = Connection(target)
        while time.perf_counter() < until:
            try:
                part.seconds.append((await connection.post(create_body(number))).seconds)
            except RequestFailedError as error:
                if not str(error).startswith(("HTTP 429", "HTTP 503")):
                    raise
                part.refused += 1
                await asyncio.sleep(pause_s)
        connection.close()

    await asyncio.gather(*map(client, range(clients)))
    return part


def _report(case: Case, rounds: Sequence[Round]) -> str:
    def shown(name: str, share: float) -> str:
        alone = median(each.alone.latency(share) for each in rounds)
        beside = median(each.beside.latency(share) for each in rounds)
        ratio = median(each.ratio(share) for each in rounds)
        return f"  {name:<20}{alone:10.1f} ms alone{beside:10.1f} ms beside{ratio:8.2f} x"

    passed = sum(len(each.flood.seconds) for each in rounds)
    refused = sum(each.flood.refused for each in rounds)
    worst = median(each.ratio(0.99) for each in rounds)
    return "\n".join(
        [
            f"{_QUIET_CLIENTS} clients beside a flood of {case.flood_clients}, {case.title}",
            shown("p50", 0.5),
            f"{shown('p99', 0.99)}   <= {_MOST:g} {'ok' if worst <= _MOST else 'MISSED'}",
            f"  of the flood {passed} turns passed and {refused} requests were refused",
        ]
    )


if __name__ == "__main__":
    text = "\n\n".join(_report(case, uvloop.run(measure(case))) for case in CASES)
    sys.stdout.write(f"{machine()}\n{text}\n")
    if "--record" in sys.argv[1:]:
        record(text)
