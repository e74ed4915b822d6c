"""A restore into a broker of the operator's, which services may use and which may have a log."""

import asyncio
import os
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from nats.aio.client import Client
from nats.js.errors import NotFoundError

from turnwire_chassis.auditing.jetstream_audit_log import JetStreamAuditLog
from turnwire_chassis.jetstream.snapshots import StreamState, delete_stream, stream_state
from turnwire_chassis.request_reply.asking import UnansweredQueryError, ask
from turnwire_chassis.settings import ServiceSettings, SettingsError, load
from turnwire_contracts import subjects
from turnwire_contracts.audit.acts import AdminActed, AnyAuditEvent, ErasureBegun, KeyRevoked
from turnwire_contracts.queries import STORE_HEALTH, AskForHealth
from turnwire_contracts.queues import QUEUES
from turnwire_dev.commands.backups import secret_files
from turnwire_dev.commands.backups.manifest import Manifest
from turnwire_dev.commands.backups.reading import Reading, drop_views, skipped
from turnwire_dev.commands.operator import connected
from turnwire_dev.components.secrets_of import VIEW_KEY
from turnwire_dev.instance.folder import DataFolder
from turnwire_dev.settings import RunnerSettings

_ANSWER_S: Final = 2.0


class NotEmptyError(Exception):
    """There is something where the backup would go; the text says the way out."""


async def into_broker(
    reading: Reading, settings: RunnerSettings, *, replace: bool, without_views: bool
) -> list[AnyAuditEvent]:
    """Restore while no service runs; gives what was undone since the backup and is back now.

    An audit log that reaches further than that of the backup stays: nothing else says what has to
    be erased again.
    """
    if settings.mongodb_url is None and not without_views:
        raise SettingsError(
            "TURNWIRE_MONGODB_URL is not set, so the views of another log would go on being read. "
            "Set it to the database of the store, or say --without-views and drop it yourself."
        )
    manifest = reading.manifest
    async with connected() as client:
        states = {each.name: await stream_state(client, each.name) for each in manifest.streams}
        _refuse_full(states, replace=replace)
        await _refuse_live(client, states)
        undone = await _undone(client, states, manifest)
        lost = skipped(manifest, os.environ.get(VIEW_KEY))
        replicas = load(ServiceSettings, ignore_empty=True).stream_replicas
        await reading.into(client, [*lost, *_kept(states, manifest)], replicas)
        for name in lost:
            if states[name] is not None:
                await delete_stream(client, name)
        if settings.mongodb_url is not None:
            await drop_views(client, settings.mongodb_url)
    _add_secrets(reading, DataFolder(settings.data_dir))
    return undone


def _refuse_full(states: dict[str, StreamState | None], *, replace: bool) -> None:
    full = [name for name, state in states.items() if state is not None and state.last_seq]
    if full and not replace:
        raise NotEmptyError(
            f"The broker has something in {', '.join(full)}. Stop all services, and say "
            "--replace: what is there is then deleted."
        )


async def _refuse_live(client: Client, states: dict[str, StreamState | None]) -> None:
    """Refuse while services work with the log: they would make streams that are missing."""
    if states.get(subjects.TURNS_STREAM) is None:
        return
    live: list[str] = []
    try:
        await ask(client, STORE_HEALTH, AskForHealth(), _ANSWER_S)
        live.append("a store answers")
    except UnansweredQueryError:
        pass
    waiting = await asyncio.gather(*(_waiting(client, queue.consumer) for queue in QUEUES))
    if any(waiting):
        live.append("orchestrators wait for turns")
    if live:
        raise NotEmptyError(
            f"Services use the broker ({'; '.join(live)}). Stop all of them first; those that "
            "were just stopped are forgotten within a minute."
        )


async def _waiting(client: Client, consumer: str) -> int:
    try:
        info = await client.jetstream().consumer_info(subjects.TURNS_STREAM, consumer)
    except NotFoundError:
        return 0
    return info.num_waiting or 0


def _kept(states: dict[str, StreamState | None], manifest: Manifest) -> Sequence[str]:
    there = states.get(subjects.AUDIT_STREAM)
    ours = {each.name: each.snapshot.counts.last_seq for each in manifest.streams}
    reaches = ours.get(subjects.AUDIT_STREAM, 0)
    return [subjects.AUDIT_STREAM] if there is not None and there.last_seq > reaches else []


async def _undone(
    client: Client, states: dict[str, StreamState | None], manifest: Manifest
) -> list[AnyAuditEvent]:
    """Give what was erased or revoked since the backup was begun, before anything is replaced."""
    if states.get(subjects.AUDIT_STREAM) is None:
        return []
    since = datetime.fromisoformat(manifest.begun_at or manifest.made_at)
    acts = JetStreamAuditLog(client).read(None, round(since.timestamp() * 1000))
    return [act async for act in acts if _is_undone(act)]


def _is_undone(act: AnyAuditEvent) -> bool:
    return isinstance(act, ErasureBegun | KeyRevoked) or (
        isinstance(act, AdminActed) and act.act == "purge"
    )


def _add_secrets(reading: Reading, folder: DataFolder) -> None:
    folder.prepare()
    for each in reading.manifest.secrets:
        # What the services have already stays: the operator may have changed it on purpose.
        if not (folder.path / each.name).exists():
            secret_files.copy_private(reading.source / each.file, folder.path / each.name)
