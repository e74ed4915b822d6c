"""`turnwire replay`: what happened to a turn or a conversation, and what that adds up to."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import typer

from turnwire_chassis.event_log import LogUnavailableError, Recorded, RecordedConversation
from turnwire_chassis.jetstream.event_log import JetStreamEventLog
from turnwire_contracts.codec import UnreadableEventError
from turnwire_contracts.ids import (
    ConversationId,
    ResponseId,
    TenantId,
    is_conversation_id,
    is_response_id,
)
from turnwire_contracts.turn import ImpossibleEventError
from turnwire_dev.commands.operator import NoBrokerError, connected
from turnwire_dev.replaying import log_file
from turnwire_dev.replaying.chapter import Chapter
from turnwire_dev.replaying.conversation_story import conversation_chapters
from turnwire_dev.replaying.log_file import AnyRecorded, UnreadableLogError
from turnwire_dev.replaying.story import chapters
from turnwire_dev.screen import Screen


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
        recorded = _from_running(tenant, wanted)
    if not recorded:
        raise NoLogError(f"The log has no events of {wanted or 'anything'}.")
    return recorded


def _from_running(tenant: TenantId, wanted: str) -> Sequence[AnyRecorded]:
    try:
        return asyncio.run(_from_broker(tenant, wanted))
    except NoBrokerError as error:
        raise NoLogError(f"{error} Or read an exported log with --from-file.") from error


async def _from_broker(tenant: TenantId, wanted: str) -> Sequence[AnyRecorded]:
    async with connected() as client:
        log = JetStreamEventLog(client, client.jetstream())
        if is_conversation_id(wanted):
            return await log.read_conversation(tenant, ConversationId(wanted))
        return await log.read(tenant, ResponseId(wanted))
