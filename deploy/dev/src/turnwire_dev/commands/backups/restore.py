"""`turnwire restore`: a backup into a data folder or a broker that has nothing yet."""

import asyncio
import os
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from turnwire_chassis.auditing.audit_log import AuditUnavailableError
from turnwire_chassis.jetstream.snapshots import SnapshotError
from turnwire_chassis.jetstream.topology import create_missing
from turnwire_chassis.settings import load
from turnwire_contracts import subjects
from turnwire_contracts.audit.acts import AnyAuditEvent, audit_kind_of
from turnwire_contracts.codec import UnreadableEventError
from turnwire_dev.commands.backups import secret_files
from turnwire_dev.commands.backups.into_broker import NotEmptyError, into_broker
from turnwire_dev.commands.backups.manifest import (
    BadBackupError,
    Manifest,
    fingerprint,
    verified,
)
from turnwire_dev.commands.backups.reading import Reading, drop_views, skipped
from turnwire_dev.commands.data_admin.audit import as_line
from turnwire_dev.commands.operator import NoBrokerError, broker_of
from turnwire_dev.components.installed import PartMissingError
from turnwire_dev.components.nats_security import LogKeyError
from turnwire_dev.components.secrets_of import VIEW_KEY
from turnwire_dev.instance.disk import NoRoomError, require_room_for
from turnwire_dev.instance.folder import DataFolder, FolderInUseError
from turnwire_dev.instance.generated_secrets import read_secret
from turnwire_dev.output import failing
from turnwire_dev.screen import Screen
from turnwire_dev.settings import RunnerSettings
from turnwire_store.views import ViewsUnavailableError

_STAGE: Final = "restoring"
_FAULTS: Final = (
    BadBackupError,
    NoBrokerError,
    SnapshotError,
    PartMissingError,
    LogKeyError,
    NoRoomError,
    AuditUnavailableError,
    UnreadableEventError,
    ViewsUnavailableError,
    OSError,
)


def restore(
    source: Path,
    log_key: Path | None,
    screen: Screen,
    *,
    replace: bool,
    without_views: bool = False,
) -> None:
    """Restore a backup; nothing is written before all of it is verified.

    `log_key`: the file with the key that it is sealed with, where the backup has none.
    `without_views`: the views of a broker's former log are left to the operator.
    """
    undone: list[AnyAuditEvent] = []
    source = source.expanduser().absolute()
    with failing(screen, *_FAULTS, NotEmptyError):
        settings = load(RunnerSettings)
        manifest = verified(source)
        key = _key(source, manifest, log_key)
        with screen.progress() as show:
            reading = Reading(source, manifest, key, show)
            if settings.nats_url is None:
                asyncio.run(_into_folder(reading, settings, replace=replace))
            else:
                into = into_broker(reading, settings, replace=replace, without_views=without_views)
                undone = asyncio.run(into)
    _report(manifest, settings, screen, undone)


def _key(source: Path, manifest: Manifest, named: Path | None) -> str | None:
    """Give the key that the streams are sealed with. Raises `BadBackupError`."""
    if manifest.sealed_with is None:
        return None
    path = named or source / secret_files.FOLDER / "nats.key"
    key = read_secret(path)
    if key is None:
        raise BadBackupError(
            "The streams are sealed with nats.key, which is not in the backup: name the file "
            "with --log-key"
        )
    if fingerprint(key) != manifest.sealed_with:
        raise BadBackupError(f"{path} is not the key that the streams are sealed with")
    return key


async def _into_folder(reading: Reading, settings: RunnerSettings, *, replace: bool) -> None:
    """Restore beside the data, and let it take its place when it is whole."""
    folder = DataFolder(settings.data_dir)
    folder.prepare()
    try:
        with folder.held():
            _refuse_full(folder, replace=replace)
            size = sum(each.bytes for each in reading.manifest.streams)
            require_room_for(folder.path, size, settings.storage_reserve_bytes)
            stage = DataFolder(folder.path / _STAGE)
            shutil.rmtree(stage.path, ignore_errors=True)
            try:
                await _build(reading, stage, folder, settings)
                _take_place(stage, folder)
            finally:
                shutil.rmtree(stage.path, ignore_errors=True)
    except FolderInUseError as error:
        raise NotEmptyError(
            f"A Turnwire runs on {folder.path} (process {error.holder}). Stop it first."
        ) from error


async def _build(
    reading: Reading, stage: DataFolder, folder: DataFolder, settings: RunnerSettings
) -> None:
    """Make a data folder beside the one that it is for."""
    stage.prepare()
    _put_secrets(reading, stage, folder)
    view_key = os.environ.get(VIEW_KEY) or read_secret(stage.view_key)
    lost = skipped(reading.manifest, view_key)
    async with broker_of(stage, encrypted=settings.encrypt_log) as client:
        await reading.into(client, lost, replicas=1)
        await create_missing(client, 1)
        if settings.mongodb_url is not None:
            await drop_views(client, settings.mongodb_url)


def _refuse_full(folder: DataFolder, *, replace: bool) -> None:
    there = [path.name for path in _pieces(folder) if _is_something(path)]
    if there and not replace:
        raise NotEmptyError(
            f"{folder.path} has {', '.join(there)} already. Name an empty folder with "
            "TURNWIRE_DATA_DIR, or say --replace: what is there is then moved aside, not deleted."
        )


def _pieces(folder: DataFolder) -> list[Path]:
    secrets = [folder.log_key, folder.key_pepper, folder.view_key, folder.seal_key]
    return [folder.nats, folder.mongo, folder.seeds, folder.closed, *secrets]


def _is_something(path: Path) -> bool:
    return any(path.iterdir()) if path.is_dir() else path.exists()


def _put_secrets(reading: Reading, stage: DataFolder, folder: DataFolder) -> None:
    """Put the secrets of the backup into place, and those that it lacks if they are there."""
    for each in reading.manifest.secrets:
        secret_files.copy_private(reading.source / each.file, stage.path / each.name)
    for each in secret_files.there(folder):
        if not (stage.path / each.name).exists():
            secret_files.copy_private(folder.path / each.name, stage.path / each.name)
    if reading.log_key is not None and not stage.log_key.exists():
        descriptor = os.open(stage.log_key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{reading.log_key}\n")
    if reading.manifest.closed:
        # Without it the API of the restored folder would take any token.
        stage.closed.touch(mode=0o600)


def _take_place(stage: DataFolder, folder: DataFolder) -> None:
    """Move what was there aside, and what was restored to its place. Raises OSError."""
    aside = folder.path / f"replaced-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    for path in _pieces(folder):
        if _is_something(path):
            aside.mkdir(mode=0o700, exist_ok=True)
            path.rename(aside / path.name)
    for path in _pieces(stage):
        target = folder.path / path.name
        if path.exists():
            if target.is_dir():
                target.rmdir()
            path.rename(target)


def _report(
    manifest: Manifest,
    settings: RunnerSettings,
    screen: Screen,
    undone: Sequence[AnyAuditEvent],
) -> None:
    missing = [
        each
        for each in secret_files.SECRETS
        if each.name in manifest.left_out
        and not (settings.data_dir / each.name).exists()
        and not (each.setting and os.environ.get(each.setting))
    ]
    streams = {each.name: each.snapshot.counts.messages for each in manifest.streams}
    facts = {
        "made_at": manifest.made_at,
        "streams": streams,
        "missing_secrets": [each.name for each in missing],
        "to_do_again": [{"kind": audit_kind_of(act), **msgspec.to_builtins(act)} for act in undone],
    }
    where = settings.data_dir if settings.nats_url is None else "the broker"
    screen.result(
        facts,
        f"The backup of {manifest.made_at} is restored into {where}: "
        f"{streams[subjects.TURNS_STREAM]} events of turns and conversations.",
        "  The views are rebuilt from them when the store starts.",
        *(f"  {each.name} was not in it; without it {each.lost}." for each in missing),
        "  What was erased since is back, and API keys that were revoked since work again: erase "
        "and revoke them again.",
        *(f"    {as_line(act)}" for act in undone),
    )
