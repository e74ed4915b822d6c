"""Lets the bench switch a running service's metrics and traces off and on.

Two processes of one program differ by several percent for as long as they live, so what is observed
and what is not are compared within one. Python imports this module when it starts, as its folder
stands in `PYTHONPATH`; nothing of the service knows of it. Switched off, a service runs what it
would run with `TURNWIRE_METRICS=false` and without a collector.
"""

import os
import signal
from pathlib import Path
from types import FrameType
from typing import Any

OFF, ON = signal.SIGUSR1, signal.SIGUSR2

_kept: dict[str, Any] = {}


def _switch(number: int, _: FrameType | None) -> None:
    from turnwire_chassis.telemetry import metrics  # noqa: PLC0415 -- a service has it by now
    from turnwire_chassis.telemetry.metric import EXPOSED  # noqa: PLC0415
    from turnwire_chassis.telemetry.spans import TRACING  # noqa: PLC0415

    on = number == ON
    if on != EXPOSED.on:
        EXPOSED.on = on
        for family in metrics.FAMILIES:
            name = family.definition.name
            # Children are asked for anew at each point but those of gauges in work, which are 0.
            _kept[name], family._children = family._children, _kept.get(name, {})
        exporter = TRACING.exporter or _kept.get("exporter")
        if not on and exporter is not None:
            # What was traced is sent on the account of what was observed.
            exporter._processor.force_flush()
        _kept["exporter"], TRACING.exporter = exporter, exporter if on else None
    told = Path(os.environ["BENCH_SWITCHED"]) / str(os.getpid())
    told.write_text("on" if on else "off", encoding="ascii")


if "BENCH_SWITCHED" in os.environ:
    for _number in (OFF, ON):
        signal.signal(_number, _switch)
