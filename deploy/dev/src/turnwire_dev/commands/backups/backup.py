"""`turnwire backup`: the log and what cannot be rebuilt, while all goes on."""

import asyncio
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from nats.aio.client import Client

from turnwire_chassis.api_keys.bucket import KeyBucket
from turnwire_chassis.broker import server_version
from turnwire_chassis.event_log import LogUnavailableError
from turnwire_chassis.jetstream.snapshots import SnapshotError, stream_state, take_snapshot
from turnwire_chassis.jetstream.topology import kept_streams
from turnwire_chassis.settings import SettingsError, load
from turnwire_dev.commands.backups import secret_files
from turnwire_dev.commands.backups.archive import ArchiveWriter, archive_key, new_archive
from turnwire_dev.commands.backups.manifest import (
    FORMAT,
    Manifest,
    StreamFile,
    fingerprint,
    write_manifest,
)
from turnwire_dev.commands.operator import NoBrokerError, reached
from turnwire_dev.components.installed import PartMissingError
from turnwire_dev.components.secrets_of import VIEW_KEY
from turnwire_dev.instance.disk import NoRoomError, require_room_for
from turnwire_dev.instance.folder import DataFolder
from turnwire_dev.instance.generated_secrets import read_secret
from turnwire_dev.output import failing
from turnwire_dev.screen import Screen, ShowProgress
from turnwire_dev.settings import RunnerSettings

_STREAMS: Final = "streams"


class BackupError(Exception):
    """It cannot be made; the text says the way out."""


def backup(target: Path, screen: Screen, *, without_secrets: bool) -> None:
    """Write a backup into a folder that is not there yet; exit codes as in `output.py`."""
    target = target.expanduser().absolute()
    faults = (NoBrokerError, SnapshotError, LogUnavailableError, BackupError, PartMissingError)
    with failing(screen, *faults, NoRoomError, OSError):
        settings = load(RunnerSettings)
        _refuse_existing(target)
        with _draft_of(target) as draft:
            with screen.progress() as show:
                made = _backed_up(draft, settings, show, secrets=not without_secrets)
                manifest = asyncio.run(made)
            write_manifest(draft, manifest)
    _report(target, manifest, screen)


def _refuse_existing(target: Path) -> None:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise SettingsError(f"{target} is there already; a backup is made in a new folder.")


@contextmanager
def _draft_of(target: Path) -> Generator[Path]:
    """Give a folder beside the target, which takes its place when all is written."""
    draft = target.with_name(f"{target.name}.unfinished")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700, parents=True)
    try:
        yield draft
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    if target.exists():
        target.rmdir()
    draft.rename(target)


async def _backed_up(
    draft: Path, settings: RunnerSettings, show: ShowProgress, *, secrets: bool
) -> Manifest:
    folder = DataFolder(settings.data_dir)
    begun_at = _now()
    async with reached() as client:
        log_key = None if settings.nats_url else read_secret(folder.log_key)
        streams = await _streams(client, draft, log_key, show, settings.storage_reserve_bytes)
        has_keys = bool(await KeyBucket(client).read())
        server = ".".join(map(str, server_version(client)))
    copied = secret_files.copy_into(draft, folder) if secrets else []
    view_key = os.environ.get(VIEW_KEY) or read_secret(folder.view_key)
    return Manifest(
        format=FORMAT,
        made_at=_now(),
        begun_at=begun_at,
        turnwire=version("turnwire-dev"),
        broker=server,
        sealed_with=None if log_key is None else fingerprint(log_key),
        closed=has_keys or folder.closed.exists(),
        view_key=None if view_key is None else fingerprint(view_key),
        streams=streams,
        secrets=copied,
        left_out=_left_out(folder, {each.name for each in copied}),
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


async def _streams(
    client: Client, draft: Path, log_key: str | None, show: ShowProgress, reserve: int
) -> list[StreamFile]:
    (draft / _STREAMS).mkdir(mode=0o700)
    key = None if log_key is None else archive_key(log_key)
    found: list[StreamFile] = []
    for name in kept_streams():
        state = await stream_state(client, name)
        if state is None:
            raise BackupError(f"The broker has no stream {name}. Start Turnwire once: turnwire up")
        require_room_for(draft, state.bytes, reserve)
        path = draft / _STREAMS / f"{name}.snapshot"
        with new_archive(path, name, key) as archive:
            total = state.bytes

            def write(
                part: bytes, archive: ArchiveWriter = archive, name: str = name, total: int = total
            ) -> None:
                archive.write(part)
                show(name, min(archive.bytes, total), total)

            snapshot = await take_snapshot(client, name, write)
        show(name, total, total)
        place = str(path.relative_to(draft))
        found.append(StreamFile(name, place, archive.bytes, archive.sha256, snapshot))
    return found


def _left_out(folder: DataFolder, copied: set[str]) -> list[str]:
    there = {each.name for each in secret_files.there(folder)}
    of_environment = secret_files.replaced(os.environ)
    left = (there | of_environment) - (copied - of_environment)
    return sorted(name for name in left if not name.endswith(".seed"))


def _report(target: Path, manifest: Manifest, screen: Screen) -> None:
    counts = {each.name: each.snapshot.counts for each in manifest.streams}
    facts = {
        "folder": target,
        "streams": {name: count.messages for name, count in counts.items()},
        "last_sequence": {name: count.last_seq for name, count in counts.items()},
        "bytes": sum(each.bytes for each in manifest.streams),
        "sealed": manifest.sealed_with is not None,
        "secrets": [each.name for each in manifest.secrets],
        "left_out": manifest.left_out,
    }
    lines = [f"{target} is a whole backup of {manifest.made_at}:"]
    lines += [
        f"  {each.name:14}{counts[each.name].messages} messages up to sequence "
        f"{counts[each.name].last_seq}, {each.bytes} bytes"
        for each in manifest.streams
    ]
    screen.result(facts, *lines, *_about_secrets(manifest))


def _about_secrets(manifest: Manifest) -> list[str]:
    lines: list[str] = []
    if manifest.secrets:
        names = ", ".join(each.name for each in manifest.secrets)
        lines.append(f"  It holds secrets, so keep it as safe as the data folder: {names}")
    if manifest.left_out:
        names = ", ".join(manifest.left_out)
        lines.append(f"  Not in it, and needed to restore; keep them yourself: {names}")
    if manifest.sealed_with is None:
        lines.append("  The streams are in the clear: who can read the folder can read all turns.")
    else:
        lines.append("  The streams are sealed with nats.key.")
    return lines
