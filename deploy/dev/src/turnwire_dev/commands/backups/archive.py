"""The file of one stream in a backup: as the broker sent it, sealed if the log is encrypted.

The broker sends a snapshot in the clear whatever its own files are. Where they are encrypted, so is
the backup: with a key that is derived from theirs. Each part is sealed by itself, bound to its
stream and its place, and the last one says that it is the last.
"""

import hashlib
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from turnwire_dev.commands.backups.manifest import BadBackupError

_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_LENGTH_BYTES: Final = 4
_PURPOSE: Final = b"turnwire backup of a stream"
_PLAIN_AT_ONCE: Final = 128 * 1024
_LONGEST: Final = 64 * 1024 * 1024


def archive_key(log_key: str) -> bytes:
    """Derive the key of a backup from the key of the broker's files."""
    return HKDF(SHA256(), _KEY_BYTES, salt=None, info=_PURPOSE).derive(log_key.encode("ascii"))


class ArchiveWriter:
    """The file of one stream while it is written."""

    def __init__(self, file: IO[bytes], stream: str, key: bytes | None) -> None:
        """`key`: what it is sealed with; `None`: it is not."""
        self._file = file
        self._stream = stream
        self._cipher = None if key is None else ChaCha20Poly1305(key)
        self._sum = hashlib.sha256()
        self._place = 0
        self.bytes = 0
        """What the file has so far."""

    def write(self, part: bytes) -> None:
        """Add a part. Raises OSError."""
        self._put(part, last=False)

    def end(self) -> None:
        """Say that this is all. Raises OSError."""
        if self._cipher is not None:
            self._put(b"", last=True)

    @property
    def sha256(self) -> str:
        """The checksum of the file so far."""
        return self._sum.hexdigest()

    def _put(self, part: bytes, *, last: bool) -> None:
        if self._cipher is not None:
            nonce = os.urandom(_NONCE_BYTES)
            about = _about(self._stream, self._place, last=last)
            sealed = nonce + self._cipher.encrypt(nonce, part, about)
            part = len(sealed).to_bytes(_LENGTH_BYTES) + sealed
            self._place += 1
        self._file.write(part)
        self._sum.update(part)
        self.bytes += len(part)


@contextmanager
def new_archive(path: Path, stream: str, key: bytes | None) -> Generator[ArchiveWriter]:
    """Make the file of one stream, readable by its owner only; it is on the disk after the block.

    Raises OSError.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        archive = ArchiveWriter(file, stream, key)
        yield archive
        archive.end()
        file.flush()
        os.fsync(file.fileno())


def read_archive(path: Path, stream: str, key: bytes | None) -> Iterator[bytes]:
    """Give the parts of a stream's file. Raises `BadBackupError`, OSError."""
    with path.open("rb") as file:
        if key is None:
            while part := file.read(_PLAIN_AT_ONCE):
                yield part
            return
        cipher = ChaCha20Poly1305(key)
        place = 0
        while True:
            length = int.from_bytes(file.read(_LENGTH_BYTES))
            sealed = file.read(min(length, _LONGEST))
            nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
            part = _opened(cipher, nonce, rest, _about(stream, place, last=False))
            if part is None:
                if _opened(cipher, nonce, rest, _about(stream, place, last=True)) is not None:
                    return
                raise BadBackupError(
                    f"{path} does not open: it is damaged, or sealed by another key"
                )
            yield part
            place += 1


def _opened(cipher: ChaCha20Poly1305, nonce: bytes, sealed: bytes, about: bytes) -> bytes | None:
    try:
        return cipher.decrypt(nonce, sealed, about)
    except (InvalidTag, ValueError):
        return None


def _about(stream: str, place: int, *, last: bool) -> bytes:
    return f"{stream}:{place}:{'last' if last else 'more'}".encode("ascii")
