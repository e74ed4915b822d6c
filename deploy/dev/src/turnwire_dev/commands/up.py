"""`turnwire up`: run everything on this machine."""

import asyncio
import os
from typing import Annotated

import typer

from turnwire_chassis.settings import PREFIX, load
from turnwire_dev import runner
from turnwire_dev.output import Output, OutputOption, screen_of
from turnwire_dev.settings import RunnerSettings


def up(
    *,
    scale: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SERVICE=N",
            help="How many processes of a service run, once for each service; or `auto`: as many "
            "as use every core.",
        ),
    ] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Run all of Turnwire here until ^C; settings are TURNWIRE_ environment variables."""
    if scale:
        os.environ[f"{PREFIX}SCALE"] = ",".join(scale)
    settings = load(RunnerSettings)
    raise typer.Exit(asyncio.run(runner.run(settings, screen_of(output), os.environ)))
