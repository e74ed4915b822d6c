"""`turnwire up`: run everything on this machine."""

import asyncio
import os

import typer

from turnwire_chassis.settings import load
from turnwire_dev import runner
from turnwire_dev.screen import Screen
from turnwire_dev.settings import RunnerSettings


def up() -> None:
    """Run all of Turnwire here until ^C; settings are TURNWIRE_ environment variables."""
    settings = load(RunnerSettings)
    raise typer.Exit(asyncio.run(runner.run(settings, Screen(), os.environ)))
