"""`python -m bench.listing [responses]`: pages of a list of 100,000 responses, by each filter.

A broker, the embedded database server, which is slower than a MongoDB, and one store: the time of
a page is what its gateway waits for. A page may take 100 ms.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop
from nats.aio.client import Client

from bench.listing.questions import LIMIT, questions
from bench.listing.turns import ended
from bench.rebuilding.__main__ import servers
from bench.report import machine, record
from turnwire_chassis.broker import connect, disconnect
from turnwire_chassis.concurrency import gather_bounded
from turnwire_chassis.jetstream import topology
from turnwire_chassis.jetstream.event_log import JetStreamEventLog
from turnwire_chassis.request_reply.asking import UnansweredQueryError, ask
from turnwire_contracts.administration.deployment import (
    STORE_PROJECTION,
    AskForProjection,
    ProjectionStatus,
)
from turnwire_contracts.inspecting.response_list import STORE_RESPONSES, AskForResponses, Responses
from turnwire_dev.components.secrets_of import without_settings

_RESPONSES = 100_000
_WITHIN_MS = 100.0
_IN_FLIGHT = 64
_REPEATS = 7
_GIVE_UP_S = 1200.0
_LOOK_AGAIN_S = 0.5
_STOP_S = 10.0


@dataclass(frozen=True)
class Page:
    """What one question took."""

    name: str
    found: int
    ms: float
    """The median."""


async def fill(nats_url: str, count: int) -> None:
    """Append the events of so many turns."""
    client = await connect(nats_url, "bench")
    log = JetStreamEventLog(client, await topology.declare(client, 1))

    async def append(number: int) -> None:
        for event in ended(number):
            await log.append(event, None)

    await gather_bounded(append, range(count), _IN_FLIGHT)
    await disconnect(client)


@asynccontextmanager
async def store(settings: Mapping[str, str]) -> AsyncGenerator[None]:
    """Run a store."""
    command = (sys.executable, "-m", "turnwire_store")
    own = {"TURNWIRE_HEALTH_PORT": "0", "TURNWIRE_RETENTION_DAYS": "0", **settings}
    environment = {**without_settings(os.environ), **own}
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.DEVNULL, stderr=sys.stderr
    )
    try:
        yield
    finally:
        process.terminate()
        async with asyncio.timeout(_STOP_S):
            await process.wait()


async def projected(client: Client) -> None:
    """Wait until the views know all of the log."""
    async with asyncio.timeout(_GIVE_UP_S):
        while True:
            try:
                status = await ask(client, STORE_PROJECTION, AskForProjection(), 5)
            except UnansweredQueryError:
                status = None
            if isinstance(status, ProjectionStatus) and status.log_end and not status.lag:
                return
            await asyncio.sleep(_LOOK_AGAIN_S)


async def timed(client: Client, name: str, question: AskForResponses) -> Page:
    """Ask several times."""
    taken: list[float] = []
    found = 0
    for _ in range(_REPEATS):
        began = time.perf_counter()
        answer = await ask(client, STORE_RESPONSES, question, 30)
        taken.append(1000 * (time.perf_counter() - began))
        if not isinstance(answer, Responses):
            raise TypeError(f"{name}: {answer}")
        found = len(answer.responses)
    return Page(name, found, sorted(taken)[_REPEATS // 2])


async def measure(count: int) -> str:
    """Fill a log, project it, ask, and write the report."""
    with tempfile.TemporaryDirectory(prefix="turnwire-bench-") as folder:
        async with servers(Path(folder)) as settings:
            await fill(settings["TURNWIRE_NATS_URL"], count)
            async with store(settings):
                client = await connect(settings["TURNWIRE_NATS_URL"], "bench")
                await projected(client)
                pages = [
                    await timed(client, name, question)
                    for name, question in questions(count).items()
                ]
                await disconnect(client)
    return report(pages, count)


def report(pages: list[Page], count: int) -> str:
    """Lay out what was measured."""
    slowest = max(page.ms for page in pages)
    verdict = "ok" if slowest <= _WITHIN_MS else "MISSED"
    lines = [
        f"A page of {LIMIT} of {count:,} responses, ms (how many there were)",
        *(f"  {page.name:<34}{page.ms:8.1f}   ({page.found})" for page in pages),
        f"  {'the slowest':<34}{slowest:8.1f}   <= {_WITHIN_MS:g} {verdict}",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    numbers = [int(each) for each in sys.argv[1:] if each.isdecimal()]
    text = uvloop.run(measure(numbers[0] if numbers else _RESPONSES))
    sys.stdout.write(f"{machine()}\n{text}\n")
    if "--record" in sys.argv[1:]:
        record(text)
