"""`turnwire doctor`: is everything in order, and if not, what to do."""

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import assert_never

import typer
from nats.aio.client import Client

from turnwire_chassis.broker_access.access import Access
from turnwire_chassis.broker_authorization.rights import User
from turnwire_chassis.settings import ServiceSettings, SettingsError, load
from turnwire_chassis.tool_servers.settings import ToolServerSettings
from turnwire_cli.exit_codes import FAILED
from turnwire_dev.commands import broker_checks, checks, machine_checks
from turnwire_dev.commands.check_keys import check_keys, keys_unread
from turnwire_dev.commands.checks import CheckFailed, CheckPassed, Finding
from turnwire_dev.commands.guard_checks import check_guard
from turnwire_dev.commands.operator import run_here
from turnwire_dev.commands.storage_checks import check_event_log, check_folder
from turnwire_dev.commands.store_checks import check_database, check_projection, check_view_keys
from turnwire_dev.commands.tool_checks import check_tool_servers
from turnwire_dev.commands.view_checks import check_mongodb_options, check_projector
from turnwire_dev.instance.folder import DataFolder
from turnwire_dev.instance.generated_secrets import read_secret
from turnwire_dev.instance.run_file import Run
from turnwire_dev.screen import Screen
from turnwire_dev.settings import RunnerSettings
from turnwire_store.sealing import MasterKeys
from turnwire_store.settings import StoreSettings


def _now() -> datetime:
    return datetime.now(UTC)


def doctor(screen: Screen) -> None:
    """Print what was found in the settings, on the machine and in a running Turnwire.

    Raises `typer.Exit` with code 1 if anything is wrong, else with 0.
    """
    findings = asyncio.run(examine(checks.Patience(screen.remark)))
    for finding in findings:
        match finding:
            case CheckPassed(check, text):
                screen.fine(check, text)
            case CheckFailed(check, text, way_out):
                screen.trouble(check, text, way_out)
            case _:
                assert_never(finding)
    raise typer.Exit(FAILED if any(isinstance(finding, CheckFailed) for finding in findings) else 0)


async def examine(
    patience: checks.Patience, now: Callable[[], datetime] = _now
) -> Sequence[Finding]:
    """Check the settings in the environment and what they name; gives what was found."""
    try:
        settings = load(RunnerSettings)
    except SettingsError as error:
        return [CheckFailed("settings", str(error), "Nothing else is checked until that is right.")]
    folder = DataFolder(settings.data_dir)
    run = run_here(folder)
    outside = await _outside(settings, run, patience)
    findings: list[Finding] = [
        CheckPassed("settings", "as they should be"),
        *machine_checks.check_service_settings(),
        *check_folder(settings, folder),
        *machine_checks.check_secrets(folder, settings),
        *checks.check_port(settings, run),
        *await machine_checks.check_callers(settings, folder),
        checks.check_web_access(settings),
        *machine_checks.check_proxies(settings, os.environ),
        *machine_checks.check_versions(run),
        *checks.check_parts(settings),
        *([checks.check_limits(settings.limits)] if settings.limits else []),
        *outside,
        *await _broker(settings, run, now, _database(outside, settings, run)),
        *await check_guard(settings.guard_policy),
    ]
    with suppress(SettingsError):
        findings += await check_tool_servers(load(ToolServerSettings, ignore_empty=True))
    if run is None:
        return [*findings, CheckPassed("running", "no; start it with: turnwire up")]
    children = checks.check_children(run)
    return [*findings, *children, await check_projector(run), await checks.check_gateway(run)]


async def _outside(
    settings: RunnerSettings, run: Run | None, patience: checks.Patience
) -> Sequence[Finding]:
    # What runs says best where things are; else only what is configured can be asked.
    mongodb = run.mongodb_url if run else settings.mongodb_url
    backend = run.backend_url if run else settings.backend_url
    found: list[Finding] = []
    if mongodb:
        found += check_mongodb_options(mongodb)
        found.append(await checks.check_store(mongodb))
        if isinstance(found[-1], CheckPassed):
            found += await check_database(mongodb)
    if backend or settings.backends is not None:
        found += await checks.check_backends(settings, backend or "", patience)
    return found


def _database(found: Sequence[Finding], settings: RunnerSettings, run: Run | None) -> str | None:
    """Give the URL of a database with which nothing is wrong."""
    if any(isinstance(each, CheckFailed) and each.check == "store" for each in found):
        return None
    return run.mongodb_url if run else settings.mongodb_url


async def _broker(
    settings: RunnerSettings, run: Run | None, now: Callable[[], datetime], mongodb: str | None
) -> Sequence[Finding]:
    """Look at the broker, and where it answers, at all that it keeps; `mongodb`: the views."""
    url = run.nats_url if run else settings.nats_url
    if url is None:
        return [await check_keys(settings, None)]
    found = await checks.check_broker(url)
    if not any(isinstance(each, CheckPassed) for each in found):
        return [*found, keys_unread()]
    inside = await _inside(settings, run, now, mongodb)
    return [*found, *await check_event_log(url), *inside, await check_keys(settings, url)]


async def _inside(
    settings: RunnerSettings, run: Run | None, now: Callable[[], datetime], mongodb: str | None
) -> Sequence[Finding]:
    """Look at what the broker keeps, and at what the store has made of it."""
    folder = DataFolder(settings.data_dir)
    if settings.nats_url:
        url, access = settings.nats_url, settings.broker_access
    elif run is not None:
        url, access = run.nats_url, Access(seed_file=folder.seed(User.OPERATOR))
    else:
        return []
    try:
        replicas, keys = (
            load(ServiceSettings, ignore_empty=True).stream_replicas,
            _master_keys(folder),
        )
    except SettingsError:
        # Found before, with the settings of the services.
        return []
    place = broker_checks.Place(url, access, replicas)
    async with broker_checks.entered(place) as client:
        if not isinstance(client, Client):
            return [] if client is None else [client]
        findings = await broker_checks.check_streams(client, place, now)
        if any(isinstance(each, CheckFailed) and each.check == "broker" for each in findings):
            return findings
        findings.append(await broker_checks.check_dead_letters(client))
        findings += await check_view_keys(client, keys)
        if mongodb is not None:
            findings.append(await check_projection(client, mongodb, keys))
        return findings


def _master_keys(folder: DataFolder) -> MasterKeys:
    """Give what opens the keys of views: what the store is told. Raises `SettingsError`."""
    written = load(StoreSettings, ignore_empty=True).view_key
    text = written.get_secret_value() if written else read_secret(folder.view_key)
    return MasterKeys.parse(text or "")
