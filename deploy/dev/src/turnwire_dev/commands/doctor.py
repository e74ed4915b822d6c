"""`turnwire doctor`: is everything in order, and if not, what to do."""

import asyncio
from collections.abc import Sequence
from typing import assert_never

import typer

from turnwire_chassis.settings import SettingsError, load
from turnwire_dev.claims.folder import DataFolder
from turnwire_dev.claims.run_file import Run, read_run
from turnwire_dev.commands import checks
from turnwire_dev.commands.check_keys import check_keys
from turnwire_dev.commands.checks import Finding, Fine, Trouble
from turnwire_dev.commands.guard_checks import check_guard
from turnwire_dev.screen import Screen
from turnwire_dev.settings import RunnerSettings


def doctor() -> None:
    """Check the settings, the machine and a running Turnwire; exit code 1 if anything is wrong."""
    findings = asyncio.run(examine())
    screen = Screen()
    for finding in findings:
        match finding:
            case Fine(check, text):
                screen.fine(check, text)
            case Trouble(check, text, way_out):
                screen.trouble(check, text, way_out)
            case _:
                assert_never(finding)
    raise typer.Exit(1 if any(isinstance(finding, Trouble) for finding in findings) else 0)


async def examine() -> Sequence[Finding]:
    """All findings about the settings in the environment and what they name."""
    try:
        settings = load(RunnerSettings)
    except SettingsError as error:
        return [Trouble("settings", str(error), "Nothing else is checked until that is right.")]
    folder = DataFolder(settings.data_dir)
    run = read_run(folder.run_file) if folder.is_held() else None
    findings: list[Finding] = [
        Fine("settings", "as they should be"),
        *checks.check_folder(folder),
        *checks.check_port(settings, run),
        checks.check_web_access(settings),
        *checks.check_parts(settings),
        *([checks.check_limits(settings.limits)] if settings.limits else []),
        *await _outside(settings, run),
        *await check_guard(settings.guard_policy),
    ]
    if run is None:
        return [*findings, Fine("running", "no; start it with: turnwire up")]
    return [*findings, *checks.check_children(run), await checks.check_gateway(run)]


async def _outside(settings: RunnerSettings, run: Run | None) -> Sequence[Finding]:
    # What runs says best where things are; else only what is configured can be asked.
    nats = run.nats_url if run else settings.nats_url
    mongodb = run.mongodb_url if run else settings.mongodb_url
    backend = run.backend_url if run else settings.backend_url
    named: Sequence[Finding] = []
    if backend or settings.backends is not None:
        named = await checks.check_backends(settings, backend or "")
    questions = [
        *([checks.check_store(mongodb)] if mongodb else []),
    ]
    broker = await checks.check_broker(nats) if nats else ()
    return [*broker, *await asyncio.gather(*questions), *named, await check_keys(settings, nats)]
