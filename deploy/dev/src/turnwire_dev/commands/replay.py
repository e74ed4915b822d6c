"""`turnwire replay`: what happened to a turn or a conversation, and what that adds up to."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import typer

from turnwire_chassis.broker import connect
from turnwire_chassis.broker_access.access import Access
from turnwire_chassis.broker_access.rights import User
from turnwire_chassis.event_log import LogUnavailableError, Recorded, RecordedConversation
from turnwire_chassis.jetstream.event_log import JetStreamEventLog
from turnwire_chassis.settings import SettingsError, load
from turnwire_contracts.codec import UnreadableEventError
from turnwire_contracts.ids import (
    ConversationId,
    ResponseId,
    TenantId,
    is_conversation_id,
    is_response_id,
)
from turnwire_contracts.turn import ImpossibleEventError
from turnwire_dev.claims.folder import DataFolder
from turnwire_dev.claims.run_file import read_run
from turnwire_dev.replaying import log_file
from turnwire_dev.replaying.chapter import Chapter
from turnwire_dev.replaying.conversation_story import conversation_chapters
from turnwire_dev.replaying.log_file import AnyRecorded, UnreadableLogError
from turnwire_dev.replaying.story import chapters
from turnwire_dev.screen import Screen
from turnwire_dev.settings import RunnerSettings

_CONNECT_TIMEOUT_S = 5.0


class NoLogError(Exception):
    """There is no log to read; the text says the way out."""


def replay(wanted: str | None, from_file: Path | None, export: Path | None, tenant: str) -> None:
    """Tell the turn or conversation with the id `wanted`, from the broker's log or an exported one.

    The exit code is 1 if there is none.
    """
    screen = Screen()
    try:
        recorded = _recorded(wanted, from_file, TenantId(tenant))
        if export is not None:
            log_file.write(export, recorded)
        for chapter in _story(recorded):
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


def _story(recorded: Sequence[AnyRecorded]) -> Iterator[Chapter]:
    yield from chapters(each for each in recorded if isinstance(each, Recorded))
    yield from conversation_chapters(
        each for each in recorded if isinstance(each, RecordedConversation)
    )


def _recorded(
    wanted: str | None, from_file: Path | None, tenant: TenantId
) -> Sequence[AnyRecorded]:
    if wanted is not None and not is_response_id(wanted) and not is_conversation_id(wanted):
        raise NoLogError(
            f"{wanted} is no id of a response or a conversation; they look like resp_0123… and "
            "conv_0123…"
        )
    if from_file is not None:
        recorded = log_file.read(from_file, wanted)
    elif wanted is None:
        raise NoLogError(
            "Say which one: turnwire replay resp_… or conv_…, or name a file: --from-file."
        )
    else:
        recorded = asyncio.run(_from_broker(_broker(), tenant, wanted))
    if not recorded:
        raise NoLogError(f"The log has no events of {wanted or 'anything'}.")
    return recorded


def _broker() -> tuple[str, Access]:
    """Where the broker is, and who we are there."""
    settings = load(RunnerSettings)
    if settings.nats_url:
        return settings.nats_url, settings.broker_access
    folder = DataFolder(settings.data_dir)
    run = read_run(folder.run_file) if folder.is_held() else None
    if run is None:
        raise NoLogError(
            f"No Turnwire runs on {settings.data_dir}. Start it with: turnwire up, or name its "
            "broker with TURNWIRE_NATS_URL, or read an exported log with --from-file."
        )
    return run.nats_url, Access(seed_file=folder.seed(User.OPERATOR))


async def _from_broker(
    broker: tuple[str, Access], tenant: TenantId, wanted: str
) -> Sequence[AnyRecorded]:
    url, access = broker
    try:
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            client = await connect(url, User.OPERATOR, access=access)
    except TimeoutError as error:
        raise NoLogError(f"The broker at {url} does not answer.") from error
    try:
        log = JetStreamEventLog(client, client.jetstream())
        if is_conversation_id(wanted):
            return await log.read_conversation(tenant, ConversationId(wanted))
        return await log.read(tenant, ResponseId(wanted))
    finally:
        await client.close()
