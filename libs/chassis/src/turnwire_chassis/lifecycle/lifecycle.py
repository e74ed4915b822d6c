"""What a service tells of itself while it starts, runs and drains."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

import structlog
from nats.aio.client import Client

from turnwire_chassis.broker import denied, unreachable

log = structlog.get_logger()

Check = Callable[[], Awaitable[str | None]]
"""Gives `None` when all is well, else what is wrong."""

Detail = Callable[[], str]
"""Says something that operators want to know and that is no reason to be ill."""

Finish = Callable[[], Awaitable[None]]
"""Stops taking work and returns when what was taken is done; may be cancelled at any time."""

_CHECK_TIMEOUT_S = 2.0


async def _starting() -> str | None:
    """Stand in until the service says what it stands on."""
    return "starting: not connected yet"


class Lifecycle:
    """One process from its start to its end; probes ask it, the run loop drains it."""

    def __init__(self) -> None:
        """It starts, and is not ready."""
        self._checks: Mapping[str, Check] = {"service": _starting}
        self._warnings: Mapping[str, Check] = {}
        self._details: Mapping[str, Detail] = {}
        self._finishing: list[Finish] = []
        self.draining = False
        """Whether the process was told to end, and finishes what it has."""

    def watch(
        self,
        checks: Mapping[str, Check],
        *,
        warnings: Mapping[str, Check] | None = None,
        details: Mapping[str, Detail] | None = None,
    ) -> None:
        """Say what readiness depends on, and what only health tells (`warnings`, `details`)."""
        self._checks, self._warnings, self._details = checks, warnings or {}, details or {}

    def watch_broker(self, client: Client, beside: Mapping[str, Check] | None = None) -> None:
        """Be ready while the broker is connected (and `beside`), and tell of what it refuses."""

        async def connected() -> str | None:
            return unreachable(client)

        async def rights() -> str | None:
            return denied(client)

        self.watch({"broker": connected, **(beside or {})}, warnings={"broker_rights": rights})

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
        """Give what keeps the service from taking work, by name."""
        stops = {"service": "draining"} if self.draining else {}
        return {**await _problems(self._checks), **stops}

    async def problems(self) -> dict[str, str]:
        """Give all that is wrong, also what keeps nobody from working."""
        return {**await self.unready(), **await _problems(self._warnings)}

    def details(self) -> dict[str, str]:
        """Give what operators want to know."""
        return {name: detail() for name, detail in self._details.items()}


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
