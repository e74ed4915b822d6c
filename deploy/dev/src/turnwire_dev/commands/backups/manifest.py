"""What is in a backup: `manifest.json`, with the checksum of every file; its own is beside it.

Nothing of a backup is used before all of its files are as the manifest says.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from turnwire_chassis.jetstream.snapshots import Snapshot

FORMAT: Final = 1

_NAME: Final = "manifest.json"
_SUM: Final = "manifest.json.sha256"
_READ_AT_ONCE: Final = 1024 * 1024


class BadBackupError(Exception):
    """A folder is no backup, or a damaged one; the text names the file."""


class StreamFile(Struct, frozen=True):
    """A stream of the broker, as it sent it."""

    name: str
    file: str
    """Below the folder of the backup, as in `SecretFile`."""
    bytes: int
    sha256: str
    snapshot: Snapshot


class SecretFile(Struct, frozen=True):
    """A file of the data folder that only its owner may read."""

    name: str
    """Below the data folder."""
    file: str
    sha256: str


class Manifest(Struct, frozen=True):
    """All that a backup says of itself; nothing in it is secret."""

    format: int
    made_at: str
    turnwire: str
    """The version that made it."""
    broker: str
    """The version of nats-server that it is from."""
    sealed_with: str | None
    """The fingerprint of the key that the streams are sealed with; `None`: they are not."""
    closed: bool
    """Whether the API needs keys."""
    view_key: str | None
    """The fingerprint of the key of views, if it lies in the data folder."""
    streams: list[StreamFile]
    secrets: list[SecretFile]
    left_out: list[str]
    """Secrets that are needed and not in it: they come from the environment, or were not wanted."""
    begun_at: str | None = None
    """What was done since may not be in it; earlier versions do not say."""


def fingerprint(secret: str) -> str:
    """Name a secret without telling it."""
    return hashlib.sha256(secret.encode("ascii")).hexdigest()


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write it, and its checksum as `sha256sum -c` reads it. Raises OSError."""
    body = msgspec.json.format(msgspec.json.encode(manifest)) + b"\n"
    (folder / _NAME).write_bytes(body)
    (folder / _SUM).write_text(_checksum(body), encoding="ascii")


def verified(folder: Path) -> Manifest:
    """Read the manifest of a backup whose files are all as it says. Raises `BadBackupError`."""
    manifest = _read(folder)
    for file, expected in _files(manifest):
        path = folder / file
        try:
            found = sha256_of(path)
        except OSError as error:
            raise BadBackupError(f"{path} cannot be read: {error.strerror}") from error
        if found != expected:
            raise BadBackupError(
                f"{path} is damaged: its SHA-256 is {found}, and the manifest says {expected}"
            )
    return manifest


def sha256_of(path: Path) -> str:
    """Give the checksum of a file. Raises OSError."""
    whole = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(_READ_AT_ONCE):
            whole.update(part)
    return whole.hexdigest()


def _checksum(body: bytes) -> str:
    return f"{hashlib.sha256(body).hexdigest()}  {_NAME}\n"


def _files(manifest: Manifest) -> Iterator[tuple[str, str]]:
    yield from ((each.file, each.sha256) for each in manifest.streams)
    yield from ((each.file, each.sha256) for each in manifest.secrets)


def _read(folder: Path) -> Manifest:
    path = folder / _NAME
    try:
        body = path.read_bytes()
        expected = (folder / _SUM).read_text(encoding="ascii")
    except FileNotFoundError as error:
        raise BadBackupError(
            f"{error.filename} is not there: is {folder} a backup, and was it finished?"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise BadBackupError(f"{path} or its checksum cannot be read: {error}") from error
    if _checksum(body) != expected:
        raise BadBackupError(f"{path} is damaged, or its checksum in {_SUM} is")
    try:
        version = msgspec.json.decode(body, type=dict[str, object]).get("format")
        if version != FORMAT:
            raise BadBackupError(
                f"{path}: format {version} is not known to this version of Turnwire, which knows "
                f"{FORMAT}; restore with the version that made it"
            )
        manifest = msgspec.json.decode(body, type=Manifest)
    except msgspec.DecodeError as error:
        raise BadBackupError(f"{path}: {error}") from error
    for file in (*(file for file, _ in _files(manifest)), *(one.name for one in manifest.secrets)):
        if Path(file).is_absolute() or ".." in Path(file).parts:
            raise BadBackupError(f"{path} names {file}, which is not below its folder")
    return manifest
