"""The run loop: settings, logs, the ops port, the service; ends on SIGTERM or SIGINT, or with it.

The first signal drains the process (`TURNWIRE_DRAIN_S`), the end of that or a second signal cancels
the service, which then hands over what it still has.
"""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import structlog
import uvloop

from turnwire_chassis.garbage_collection import freeze_start_up
from turnwire_chassis.lifecycle.health_server import HealthServer
from turnwire_chassis.lifecycle.lifecycle import Lifecycle
from turnwire_chassis.logs import start_logging
from turnwire_chassis.settings import ServiceSettings, SettingsError, load
from turnwire_chassis.telemetry.process import expose, watch_event_loop
from turnwire_chassis.telemetry.tracing import traced

log = structlog.get_logger()

SettingsT = TypeVar("SettingsT", bound=ServiceSettings)

_BAD_SETTINGS = 2
_CANCEL_AGAIN_S = 5.0
"""Seconds after which a service that has not ended is cancelled once more; none needs as long."""


def run_service(
    name: str,
    settings_type: type[SettingsT],
    serve: Callable[[SettingsT, Lifecycle], Awaitable[None]],
) -> None:
    """Run `serve` until it ends, or SIGTERM or SIGINT cancels it.

    Exits with code 2 for a setting that cannot be; `serve` may raise `SettingsError`, too. The
    garbage collector may rest until here, so that it does not go through all that is imported.
    """
    gc.enable()
    try:
        settings = load(settings_type)
    except SettingsError as error:
        sys.stderr.write(f"turnwire {name}: {error}\n")
        sys.exit(_BAD_SETTINGS)
    start_logging(name, settings.log_level)
    expose(name, on=settings.metrics)
    try:
        with traced(name):
            uvloop.run(_until_told(name, settings, serve))
    except SettingsError as error:
        # What only turns out to be wrong once the broker has been asked.
        sys.stderr.write(f"turnwire {name}: {error}\n")
        sys.exit(_BAD_SETTINGS)


async def _until_told(
    name: str,
    settings: SettingsT,
    serve: Callable[[SettingsT, Lifecycle], Awaitable[None]],
) -> None:
    lifecycle = Lifecycle()
    health = HealthServer(settings.health_host, settings.health_port, lifecycle)
    serving = asyncio.ensure_future(serve(settings, lifecycle))
    answering = asyncio.create_task(health.run())
    ending = _End(serving, lifecycle, settings.drain_s)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.begin)
    log.info("service starts", pid=os.getpid())
    beside = (_freeze_when_started(lifecycle), watch_event_loop())
    background = [asyncio.create_task(each) for each in beside]
    try:
        # A health port that cannot be had ends the process, too: probes could not reach it.
        await asyncio.wait({serving, answering}, return_when=asyncio.FIRST_COMPLETED)
        serving.cancel()
        await serving
    except asyncio.CancelledError:
        log.info("service stops", name=name)
    finally:
        for task in (*background, answering):
            task.cancel()
        with suppress(asyncio.CancelledError):
            await answering


async def _freeze_when_started(lifecycle: Lifecycle) -> None:
    await lifecycle.started.wait()
    freeze_start_up()


class _End:
    """What a signal does: drain first, then cancel; a second signal cancels at once."""

    def __init__(
        self, serving: "asyncio.Future[None]", lifecycle: Lifecycle, drain_s: float
    ) -> None:
        self._serving = serving
        self._lifecycle = lifecycle
        self._drain_s = drain_s
        self._draining: asyncio.Task[None] | None = None

    def begin(self) -> None:
        if self._drain_s and self._draining is None:
            log.info("service drains", seconds=self._drain_s)
            self._draining = asyncio.create_task(self._drain())
        else:
            self._cancel()

    async def _drain(self) -> None:
        try:
            await self._lifecycle.drain(self._drain_s)
        finally:
            self._cancel()

    def _cancel(self) -> None:
        """Cancel until it has ended: a library may lose a cancellation while it connects."""
        if not self._serving.done():
            self._serving.cancel()
            asyncio.get_running_loop().call_later(_CANCEL_AGAIN_S, self._cancel)
