"""What every process tells of itself beside its work: what runs, and whether its loop keeps up."""

import asyncio
import platform
from importlib.metadata import version
from typing import Final

from turnwire_chassis.telemetry import metrics
from turnwire_chassis.telemetry.metric import EXPOSED

_LOOK_EVERY_S: Final = 0.5


def expose(service: str, *, on: bool) -> None:
    """Expose what `service` counts, from zero on; before anything is counted."""
    EXPOSED.on = on
    for family in metrics.FAMILIES:
        if service in family.definition.services and not family.definition.labels:
            family()
    metrics.BUILD(service, version("turnwire-chassis"), platform.python_version()).set(1)


async def watch_event_loop() -> None:
    """Read how late the event loop is, until cancelled."""
    loop, delay = asyncio.get_running_loop(), metrics.LOOP_DELAY()
    while True:
        due = loop.time() + _LOOK_EVERY_S
        await asyncio.sleep(_LOOK_EVERY_S)
        delay.observe(max(0.0, loop.time() - due))


async def exposition() -> bytes | None:
    """Write `/metrics` in a thread: thousands of lines would stop the loop for a tenth of a second.

    `None` where metrics are switched off.
    """
    return await asyncio.to_thread(EXPOSED.text) if EXPOSED.on else None
