"""A backup that was verified, on its way into a broker, and what follows for the views."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from nats.aio.client import Client

from turnwire_chassis.jetstream.snapshots import (
    SnapshotError,
    delete_stream,
    restore_snapshot,
    stream_state,
)
from turnwire_contracts import subjects
from turnwire_dev.commands.backups.archive import archive_key, read_archive
from turnwire_dev.commands.backups.manifest import Manifest, StreamFile, fingerprint
from turnwire_dev.screen import ShowProgress
from turnwire_store.jetstream_view_keys import JetStreamViewKeys
from turnwire_store.mongo.generations import MongoGenerations
from turnwire_store.sealing import MasterKeys

_REACH_S: Final = 10.0


class Reading:
    """A backup that was verified, on its way into a broker."""

    def __init__(
        self, source: Path, manifest: Manifest, key: str | None, show: ShowProgress
    ) -> None:
        self.source = source
        self.manifest = manifest
        self.log_key = key
        self._key = None if key is None else archive_key(key)
        self._show = show

    async def into(self, client: Client, skipped: Sequence[str], replicas: int) -> None:
        """Make all streams but those skipped. Raises `SnapshotError`, `BadBackupError`.

        One that is there is deleted right before it is made again.
        """
        for each in self.manifest.streams:
            if each.name in skipped:
                continue
            if await stream_state(client, each.name) is not None:
                await delete_stream(client, each.name)
            parts = self._parts(each)
            state = await restore_snapshot(client, each.name, each.snapshot, parts, replicas)
            # Not how many: what was erased while the backup was taken may be missing in it, and
            # what is too old by now is gone already.
            last = each.snapshot.counts.last_seq
            if state.last_seq < last:
                raise SnapshotError(
                    f"{each.name} arrived up to {state.last_seq}, and the backup has it up to "
                    f"{last}"
                )

    def _parts(self, of: StreamFile) -> Iterator[bytes]:
        done = 0
        for part in read_archive(self.source / of.file, of.name, self._key):
            done += len(part)
            self._show(of.name, min(done, of.bytes), of.bytes)
            yield part
        self._show(of.name, of.bytes, of.bytes)


def skipped(manifest: Manifest, view_key: str | None) -> list[str]:
    """Name the streams that would be of no use: keys of views that no key opens any more.

    The views are rebuilt whatever happens, and sealed with new keys.
    """
    usable = view_key is not None and fingerprint(view_key) == manifest.view_key
    return [] if usable else [subjects.VIEW_KEYS_STREAM]


async def drop_views(client: Client, mongodb_url: str) -> None:
    """Drop all generations of views: they are of another log. Raises `ViewsUnavailableError`."""
    generations = MongoGenerations(mongodb_url, JetStreamViewKeys(client, MasterKeys([])))
    try:
        await generations.reach(_REACH_S)
        serving = await generations.serving()
        await generations.drop_before(serving + 2)
    finally:
        await generations.close()
