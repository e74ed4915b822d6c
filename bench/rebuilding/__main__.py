"""`python -m bench.rebuilding [turns]`: a rebuild, from the command's start until it has ended.

The views of 10,000 turns, or of as many as are named, in at most 60 s. CPU is the kernel's clock of
each process: other work on the machine makes wall time longer, and leaves CPU as it is.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import uvloop

from bench.rebuilding.turns import Event, events
from bench.report import machine, record
from turnwire_chassis.broker import connect, disconnect
from turnwire_chassis.concurrency import gather_bounded
from turnwire_chassis.jetstream import topology
from turnwire_chassis.jetstream.event_log import JetStreamEventLog
from turnwire_dev.components.mongo import running_mongo
from turnwire_dev.components.nats import running_nats
from turnwire_dev.components.secrets_of import without_settings

_TURNS = 10_000
_WITHIN_S = 60.0
_IN_FLIGHT = 64
_GIVE_UP_S = 600.0


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild took."""

    events: int
    seconds: float
    cpu: Mapping[str, float]
    """Seconds by process: the command itself, the broker, the database."""


@asynccontextmanager
async def servers(folder: Path) -> AsyncGenerator[Mapping[str, str]]:
    """Run a broker and a database; gives the settings that name them."""
    async with running_nats(folder / "nats") as nats, running_mongo(folder / "mongo") as mongodb:
        yield {"TURNWIRE_NATS_URL": nats, "TURNWIRE_MONGODB_URL": mongodb}


async def fill(nats_url: str, turns: int) -> int:
    """Append the events of so many turns, each after the one before; gives how many."""
    client = await connect(nats_url, "bench")
    log = JetStreamEventLog(client, await topology.declare(client, 1))
    count = 0

    async def append(event: Event) -> None:
        await log.append(event, None)

    for some in _in_parts(events(turns), _IN_FLIGHT):
        # Published in this order on one connection, so they stand in the log in it.
        await gather_bounded(append, some, _IN_FLIGHT)
        count += len(some)
    await disconnect(client)
    return count


async def rebuild(settings: Mapping[str, str]) -> tuple[float, dict[str, float]]:
    """Run the command; gives its seconds, and the CPU seconds by process."""
    others = {child.name(): child for child in psutil.Process().children(recursive=True)}
    before = {name: _cpu(child) for name, child in others.items()}
    began = time.perf_counter()
    command = (sys.executable, "-m", "turnwire_store", "rebuild")
    environment = {**without_settings(os.environ), "TURNWIRE_HEALTH_PORT": "0", **settings}
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=sys.stderr)
    spent = os.times().children_user + os.times().children_system
    async with asyncio.timeout(_GIVE_UP_S):
        code = await process.wait()
    seconds = time.perf_counter() - began
    if code:
        sys.exit(f"the rebuild ended with {code}")
    own = os.times().children_user + os.times().children_system - spent
    return seconds, {
        "the command": own,
        **{name: _cpu(child) - before[name] for name, child in others.items()},
    }


async def measure(turns: int) -> str:
    """Fill a log, rebuild, and write the report."""
    with tempfile.TemporaryDirectory(prefix="turnwire-bench-") as folder:
        async with servers(Path(folder)) as settings:
            count = await fill(settings["TURNWIRE_NATS_URL"], turns)
            seconds, cpu = await rebuild(settings)
    return _report(turns, Rebuilt(count, seconds, cpu))


def _report(turns: int, rebuilt: Rebuilt) -> str:
    limit = _WITHIN_S * turns / _TURNS
    verdict = "ok" if rebuilt.seconds <= limit else "MISSED"
    lines = [
        f"A rebuild of {turns:,} turns, {rebuilt.events:,} events",
        f"  {'seconds':<34}{rebuilt.seconds:8.1f}   <= {limit:g} {verdict}",
        f"  {'events a second':<34}{rebuilt.events / rebuilt.seconds:8.0f}",
        *(f"  {f'CPU seconds, {name}':<34}{each:8.1f}" for name, each in rebuilt.cpu.items()),
    ]
    return "\n".join(lines)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _in_parts(of: Iterable[Event], size: int) -> Iterable[list[Event]]:
    part: list[Event] = []
    for one in of:
        part.append(one)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part


if __name__ == "__main__":
    numbers = [int(each) for each in sys.argv[1:] if each.isdecimal()]
    text = uvloop.run(measure(numbers[0] if numbers else _TURNS))
    sys.stdout.write(f"{machine()}\n{text}\n")
    if "--record" in sys.argv[1:]:
        record(text)
