"""`turnwire up`: run everything on this machine."""

import asyncio
import os
from collections.abc import Sequence

import typer

from turnwire_chassis.settings import PREFIX, load
from turnwire_dev import runner
from turnwire_dev.screen import Screen
from turnwire_dev.settings import RunnerSettings


def up(scale: Sequence[str], screen: Screen) -> None:
    """Run until ^C. `scale`: `SERVICE=N` each, or `auto`. Raises `SettingsError`."""
    if scale:
        os.environ[f"{PREFIX}SCALE"] = ",".join(scale)
    settings = load(RunnerSettings)
    raise typer.Exit(asyncio.run(runner.run(settings, screen, os.environ)))
