"""`turnwire broker-replay`: what the broker's log has of a turn or a conversation."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import typer

from turnwire_chassis.event_log import LogUnavailableError
from turnwire_chassis.jetstream.event_log import JetStreamEventLog
from turnwire_cli.exit_codes import BAD_INPUT, FAILED
from turnwire_cli.replaying import log_file
from turnwire_cli.replaying.conversation_views import conversation_event_views
from turnwire_cli.replaying.event_view import EventView, PlacedEvent
from turnwire_cli.replaying.log_file import LogHeading, UnreadableLogError, owner_of
from turnwire_cli.replaying.turn_views import event_views
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
from turnwire_dev.screen import Screen


class NoLogError(Exception):
    """There is no log to read; the text says the way out."""


class BadIdError(NoLogError):
    """What is asked for is no id of anything, or nothing is asked for."""


def replay(
    id_: str | None, from_file: Path | None, export: Path | None, tenant: str, screen: Screen
) -> None:
    """Print the events of the turn or conversation `id_`, from the broker's log or an exported one.

    The exit code is 1 if there is none, 2 if that is no id.
    """
    try:
        recorded = _recorded(id_, from_file, TenantId(tenant))
        if export is not None:
            log_file.write(export, _heading(recorded), recorded)
        for event_view in _event_views(recorded):
            screen.event_view(event_view)
    except (
        NoLogError,
        UnreadableLogError,
        UnreadableEventError,
        ImpossibleEventError,
        LogUnavailableError,
        OSError,
    ) as error:
        screen.problem(str(error))
        raise typer.Exit(BAD_INPUT if isinstance(error, BadIdError) else FAILED) from error


def _heading(recorded: Sequence[PlacedEvent]) -> LogHeading:
    owner = owner_of(recorded[0].event)
    return LogHeading("conversation" if is_conversation_id(owner) else "turn", owner)


def _event_views(recorded: Sequence[PlacedEvent]) -> Iterator[EventView]:
    yield from event_views(recorded)
    yield from conversation_event_views(recorded)


def _recorded(id_: str | None, from_file: Path | None, tenant: TenantId) -> Sequence[PlacedEvent]:
    if id_ is not None and not is_response_id(id_) and not is_conversation_id(id_):
        raise BadIdError(
            f"{id_} is no id of a response or a conversation; they look like resp_0123… and "
            "conv_0123…"
        )
    if from_file is not None:
        file = log_file.read(from_file)
        owner = id_ or next(iter(file.owners), "")
        recorded: Sequence[PlacedEvent] = file.of(owner)
    elif id_ is None:
        raise BadIdError(
            "Say which one: turnwire broker-replay resp_… or conv_…, or name a file: --from-file."
        )
    else:
        recorded = _from_running(tenant, id_)
    if not recorded:
        raise NoLogError(f"The log has no events of {id_ or 'anything'}.")
    return recorded


def _from_running(tenant: TenantId, id_: str) -> Sequence[PlacedEvent]:
    try:
        return asyncio.run(_from_broker(tenant, id_))
    except NoBrokerError as error:
        raise NoLogError(f"{error} Or read an exported log with --from-file.") from error


async def _from_broker(tenant: TenantId, id_: str) -> Sequence[PlacedEvent]:
    async with connected() as client:
        log = JetStreamEventLog(client, client.jetstream())
        if is_conversation_id(id_):
            return await log.read_conversation(tenant, ConversationId(id_))
        return await log.read(tenant, ResponseId(id_))
