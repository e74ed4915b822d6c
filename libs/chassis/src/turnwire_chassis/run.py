"""The run loop: settings, logs, the service's tasks; ends on SIGTERM or SIGINT, or with a task."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
import uvloop

from turnwire_chassis.logs import start_logging
from turnwire_chassis.settings import ServiceSettings, SettingsError, load
from turnwire_chassis.telemetry.process import expose, watch_event_loop
from turnwire_chassis.telemetry.tracing import traced

log = structlog.get_logger()

SettingsT = TypeVar("SettingsT", bound=ServiceSettings)

_BAD_SETTINGS = 2


def run_service(
    name: str, settings_type: type[SettingsT], serve: Callable[[SettingsT], Awaitable[None]]
) -> None:
    """Run `serve` until it ends or the process is told to stop; `serve` is then cancelled."""
    try:
        settings = load(settings_type)
    except SettingsError as error:
        sys.stderr.write(f"turnwire {name}: {error}\n")
        sys.exit(_BAD_SETTINGS)
    start_logging(name, settings.log_level)
    expose(name, on=settings.metrics)
    try:
        with traced(name):
            uvloop.run(_until_told(name, serve(settings)))
    except SettingsError as error:
        # What only turns out to be wrong once the broker has been asked.
        sys.stderr.write(f"turnwire {name}: {error}\n")
        sys.exit(_BAD_SETTINGS)


async def _until_told(name: str, serving: Awaitable[None]) -> None:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(serving)
    for told in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(told, task.cancel)
    log.info("service starts", pid=os.getpid())
    watching = asyncio.create_task(watch_event_loop())
    try:
        await task
    except asyncio.CancelledError:
        log.info("service stops", name=name)
    finally:
        watching.cancel()
