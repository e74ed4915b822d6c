"""An operator's file while a process runs: read again when it changes, taken only when it is valid.

Polled by content, so it makes no difference how it changes: written over, replaced, or swapped
behind the symlinks of a Kubernetes ConfigMap.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

import structlog
from msgspec import Struct

from turnwire_chassis.settings import SettingsError, read_file

log = structlog.get_logger()

POLL_S: Final = 1.0

ReadT = TypeVar("ReadT")


class NotTakenError(Exception):
    """What a file says can be read and cannot be put into force; the text says why."""


class FileKind(Struct, Generic[ReadT], frozen=True):
    """What a file is, for what follows it."""

    name: str
    """What the log calls it, as `policy`."""
    setting: str
    """The variable that names it."""
    parse: Callable[[str, str], ReadT]
    """Reads its text; the second argument names it in complaints. Raises `PlaceError`."""


class FollowedFile(Generic[ReadT]):
    """One file, from the start of a process on."""

    def __init__(
        self,
        kind: FileKind[ReadT],
        path: Path | None,
        take: Callable[[ReadT], Awaitable[None]],
        poll_s: float = POLL_S,
    ) -> None:
        """Follow `path`, if there is one; it is looked at each `poll_s`.

        `take` puts what it says into force; it is called again with what holds already. It may
        raise `NotTakenError` or `SettingsError`, and then has changed nothing.
        """
        self._kind = kind
        self._path = path
        self._take = take
        self._poll_s = poll_s
        self._seen: bytes | None = None
        self.problem: str | None = None
        """Why the file is ignored, and what held before stays in force; `None`: it is not."""

    @property
    def detail(self) -> str:
        """Say whether what the file says holds."""
        if self._path is None:
            return "no file"
        return "as the file says" if self.problem is None else f"file ignored: {self.problem}"

    async def watch(self) -> None:
        """Follow the file until cancelled; without one there is nothing to follow."""
        while self._path is not None:
            await asyncio.sleep(self._poll_s)
            await self.look()

    async def look(self) -> None:
        """Read the file, and have it taken if it is new and valid."""
        if self._path is None:
            return
        digest = await asyncio.to_thread(_digest, self._path)
        if digest == self._seen:
            return
        self._seen = digest
        kind = self._kind
        try:
            # In a thread: many expressions take long to compile.
            said = await asyncio.to_thread(read_file, kind.setting, self._path, kind.parse)
            await self._take(said)
        except (SettingsError, NotTakenError) as error:
            self.problem = str(error)
            log.error(f"{kind.name} ignored", reason=self.problem)  # noqa: G004, TRY400 -- one of few names; the reason says all
        else:
            self.problem = None


def _digest(path: Path) -> bytes:
    """Tell contents apart; a file that cannot be read has a digest of its own, too."""
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError as error:
        return str(error.errno).encode()
