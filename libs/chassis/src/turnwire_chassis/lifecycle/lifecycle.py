"""What a service tells of itself while it starts, runs and drains."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

import structlog
from nats.aio.client import Client

from turnwire_chassis.broker import denied, unreachable
from turnwire_chassis.jetstream.topology import log_trouble
from turnwire_chassis.storage_space import ANYWHERE, StorageSpace

log = structlog.get_logger()

Check = Callable[[], Awaitable[str | None]]
"""Gives `None` when all is well, else what is wrong."""

Detail = Callable[[], str | Awaitable[str]]
"""Says something that operators want to know and that is no reason to be ill."""

Finish = Callable[[], Awaitable[None]]
"""Stops taking work and returns when what was taken is done; may be cancelled at any time."""

_CHECK_TIMEOUT_S = 2.0


async def _starting() -> str | None:
    """Fail until the service has named its checks by `watch`."""
    return "starting: not connected yet"


class Lifecycle:
    """The state of one process: probes read it, and the run loop drains it at its end."""

    def __init__(self) -> None:
        self._checks: Mapping[str, Check] = {"service": _starting}
        self._warnings: Mapping[str, Check] = {}
        self._details: Mapping[str, Detail] = {}
        self._finishing: list[Finish] = []
        self.draining = False
        """Whether the process was told to end, and finishes what it has."""
        self.started = asyncio.Event()
        """Set once the service has said what its readiness depends on: it takes work from now."""

    def watch(
        self,
        checks: Mapping[str, Check],
        *,
        warnings: Mapping[str, Check] | None = None,
        details: Mapping[str, Detail] | None = None,
    ) -> None:
        """Say what readiness depends on, and what only health tells (`warnings`, `details`)."""
        self._checks, self._warnings, self._details = checks, warnings or {}, details or {}
        self.started.set()

    def watch_broker(
        self,
        client: Client,
        beside: Mapping[str, Check] | None = None,
        space: StorageSpace = ANYWHERE,
        details: Mapping[str, Detail] | None = None,
    ) -> None:
        """Be ready while the broker is connected (and `beside`), and tell of what it refuses.

        `space`: the room on its disk, where that is known.
        """

        async def connected() -> str | None:
            return unreachable(client)

        async def rights() -> str | None:
            return denied(client)

        warnings = {"broker_rights": rights, "event_log": log_check(client, space)}
        checks = {"broker": connected, **(beside or {})}
        self.watch(checks, warnings=warnings, details=details)

    def on_drain(self, finish: Finish) -> None:
        """Run `finish` when the process is told to end, if it may take time for that."""
        self._finishing.append(finish)

    async def drain(self, within_s: float) -> None:
        """Stop being ready; finish what was begun, for `within_s` seconds at most."""
        self.draining = True
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await asyncio.gather(*(finish() for finish in self._finishing))
                return
        log.warning("drain ends before the work does", seconds=within_s)

    async def unready(self) -> dict[str, str]:
        """Give what makes the service unready, by name; empty: it is ready."""
        stops = {"service": "draining"} if self.draining else {}
        return {**await _problems(self._checks), **stops}

    async def problems(self) -> dict[str, str]:
        """Give all that is wrong by name, also what leaves the service ready."""
        return {**await self.unready(), **await _problems(self._warnings)}

    async def details(self) -> dict[str, str]:
        """Give the details for operators, by name."""
        return {name: await _told(detail) for name, detail in self._details.items()}


def log_check(client: Client, space: StorageSpace = ANYWHERE) -> Check:
    """Check that events can be appended: there is room, a leader, and enough nodes behind it.

    Without them a service is still of use, if only to say why it refuses.
    """

    async def check() -> str | None:
        if (full := space.trouble()) is not None:
            return full
        # Without a connection there is no broker to ask, and another check says so.
        return await log_trouble(client) if client.is_connected else None

    return check


async def _told(detail: Detail) -> str:
    answer = detail()
    if isinstance(answer, str):
        return answer
    try:
        async with asyncio.timeout(_CHECK_TIMEOUT_S):
            return await answer
    except TimeoutError:
        return "no answer in time"


async def _problems(checks: Mapping[str, Check]) -> dict[str, str]:
    problems: dict[str, str] = {}
    for name, check in checks.items():
        try:
            async with asyncio.timeout(_CHECK_TIMEOUT_S):
                problem = await check()
        except TimeoutError:
            problem = "no answer in time"
        if problem is not None:
            problems[name] = problem
    return problems
