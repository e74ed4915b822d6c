"""The room on the disk of broker and database, where that is known; what needs how much of it.

A broker that finds its disk full answers no append at all, writes nothing more until it is
restarted, and may lose streams if that happens without room. So nothing is appended that could
bring it there: first new turns are refused, then views wait, and at last every event does.
"""

import os
import time
from pathlib import Path
from typing import Final

from turnwire_chassis.event_log import StorageFullError

MIB: Final = 1024 * 1024
DEFAULT_RESERVE_BYTES: Final = 64 * MIB

FOR_NEW_TURNS: Final = 1.0
"""The share of the reserve that must be free for what begins something new."""
FOR_VIEWS: Final = 1 / 4
"""The share for views: they can be written later, from the log."""
FOR_ANY_EVENT: Final = 1 / 16
"""The share for an event of what runs already, and of what makes room."""

_LOOK_EVERY_S: Final = 0.01
"""A look costs microseconds; a large append that meets a disk which just became full waits 2 s."""


class StorageSpace:
    """Looks at the disk at most a hundred times a second, to be asked before each append."""

    def __init__(self, folder: Path | None, reserve: int = DEFAULT_RESERVE_BYTES) -> None:
        """`folder` is on that disk; `None`: it is not on this machine, and always has room."""
        self._folder = folder
        self._reserve = reserve
        self._look_at = 0.0
        self._free = reserve

    def require(self, share: float) -> None:
        """Return if that share of the reserve is free; raises `StorageFullError`."""
        if self._folder is not None and self._left(self._folder) < self._reserve * share:
            raise StorageFullError(self._shortage(self._folder))

    def trouble(self) -> str | None:
        """Say for people why new turns are refused; `None`: there is room for them."""
        try:
            self.require(FOR_NEW_TURNS)
        except StorageFullError as error:
            return str(error)
        return None

    def _left(self, folder: Path) -> int:
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + _LOOK_EVERY_S
            self._free = free_bytes(folder, otherwise=self._reserve)
        return self._free

    def _shortage(self, folder: Path) -> str:
        free, reserve = in_mib(self._free), in_mib(self._reserve)
        return f"the disk of {folder} is full: {free} are free, and {reserve} are the reserve"


ANYWHERE: Final = StorageSpace(None)
"""Room that is not known of: the broker alone says when it is full."""


def free_bytes(folder: Path, *, otherwise: int) -> int:
    """Give what processes without privileges may still write there; `otherwise` if unknown."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return otherwise
    return found.f_bavail * found.f_frsize


def in_mib(size: int) -> str:
    """Write a size for people, rounded down: what is short must not look like enough."""
    return f"{size // MIB} MiB"
