"""`turnwire replay`: what happened to a turn, what it adds up to, and what would be done next."""

import asyncio
from pathlib import Path

import typer

from turnwire_chassis.broker import connect
from turnwire_chassis.event_log import LogUnavailableError, Recorded
from turnwire_chassis.jetstream.event_log import JetStreamEventLog
from turnwire_chassis.settings import SettingsError, load
from turnwire_contracts.codec import UnreadableEventError
from turnwire_contracts.ids import ResponseId, TenantId, is_response_id
from turnwire_contracts.turn import ImpossibleEventError
from turnwire_dev.claims.folder import DataFolder
from turnwire_dev.claims.run_file import read_run
from turnwire_dev.replaying import log_file
from turnwire_dev.replaying.log_file import UnreadableLogError
from turnwire_dev.replaying.story import chapters
from turnwire_dev.screen import Screen
from turnwire_dev.settings import RunnerSettings

_CONNECT_TIMEOUT_S = 5.0


class NoLogError(Exception):
    """There is no log to read; the text says the way out."""


def replay(
    response_id: str | None, from_file: Path | None, export: Path | None, tenant: str
) -> None:
    """Tell a turn from the broker's log or from an exported one; exit code 1 if there is none."""
    screen = Screen()
    try:
        recorded = _recorded(response_id, from_file, TenantId(tenant))
        if export is not None:
            log_file.write(export, recorded)
        for chapter in chapters(recorded):
            screen.chapter(chapter)
    except (
        NoLogError,
        SettingsError,
        UnreadableLogError,
        UnreadableEventError,
        ImpossibleEventError,
        LogUnavailableError,
        OSError,
    ) as error:
        screen.problem(str(error))
        raise typer.Exit(1) from error


def _recorded(response_id: str | None, from_file: Path | None, tenant: TenantId) -> list[Recorded]:
    if response_id is not None and not is_response_id(response_id):
        raise NoLogError(f"{response_id} is not a response id; they look like resp_0123…")
    wanted = ResponseId(response_id) if response_id else None
    if from_file is not None:
        recorded = log_file.read(from_file, wanted)
    elif wanted is None:
        raise NoLogError("Say which turn: turnwire replay resp_…, or name a file: --from-file.")
    else:
        recorded = asyncio.run(_from_broker(_broker_url(), tenant, wanted))
    if not recorded:
        raise NoLogError(f"The log has no events of {response_id or 'any turn'}.")
    return recorded


def _broker_url() -> str:
    settings = load(RunnerSettings)
    if settings.nats_url:
        return settings.nats_url
    folder = DataFolder(settings.data_dir)
    run = read_run(folder.run_file) if folder.is_held() else None
    if run is None:
        raise NoLogError(
            f"No Turnwire runs on {settings.data_dir}. Start it with: turnwire up, or name its "
            "broker with TURNWIRE_NATS_URL, or read an exported log with --from-file."
        )
    return run.nats_url


async def _from_broker(url: str, tenant: TenantId, response_id: ResponseId) -> list[Recorded]:
    try:
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            client = await connect(url, "replay")
    except TimeoutError as error:
        raise NoLogError(f"The broker at {url} does not answer.") from error
    try:
        return await JetStreamEventLog(client, client.jetstream()).read(tenant, response_id)
    finally:
        await client.close()
