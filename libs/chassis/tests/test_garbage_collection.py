"""A process that serves leaves what it started with out of the garbage collector's passes."""

import json
import subprocess
import sys

_PROGRAM = """
import asyncio, gc, json
from turnwire_chassis.run import run_service
from turnwire_chassis.settings import ServiceSettings

def collector():
    return {"frozen": gc.get_freeze_count(), "young": gc.get_threshold()[0]}

async def serve(settings, lifecycle):
    before = collector()
    lifecycle.watch({})
    while not gc.get_freeze_count():
        await asyncio.sleep(0)
    print(json.dumps([before, collector(), len(gc.get_objects())]))

run_service("example", ServiceSettings, serve)
"""


def test_what_starting_made_is_frozen_when_the_service_takes_work_and_not_before() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, timeout=60, check=True
    )
    starting, serving, collected = json.loads(ran.stdout)

    assert starting["frozen"] == 0
    assert serving["frozen"] > 10_000 > collected
    assert serving["young"] > starting["young"]
