"""The room on the disk of the data folder: what a start needs, and what processes need to start."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from turnwire_chassis.storage_space import FOR_VIEWS, MIB, free_bytes, in_mib
from turnwire_dev.instance.folder import DataFolder

START_BYTES = 32 * MIB
"""What all processes write until they are ready: the database keeps 10 MiB of journal, and makes
the next 10 beforehand. Measured: 11 MiB in a new folder."""

_UNKNOWN = 2**62
"""A disk that does not tell must not keep anything from starting."""


class NoRoomError(Exception):
    """The disk has too little room for a start; the text has the figures and the way out."""


@dataclass(frozen=True, slots=True)
class Shortage:
    """A disk that is full: how many bytes are free, and how many should be at least."""

    folder: Path
    free: int
    reserve: int


def free_in(folder: Path) -> int:
    """Give the free bytes on the disk where the folder is, or will be."""
    place = next(each for each in (folder, *folder.parents) if each.exists())
    return free_bytes(place, otherwise=_UNKNOWN)


def require_room(folder: DataFolder, reserve: int) -> None:
    """Return if there is room to start; raises `NoRoomError`.

    A folder that holds a log needs no more than a start: what is there can be read.
    """
    is_new = not any(folder.nats.glob("*")) if folder.nats.exists() else True
    needed = START_BYTES + (reserve if is_new else 0)
    free = free_in(folder.path)
    if free >= needed:
        return
    parts = f"{in_mib(START_BYTES)} to start"
    if is_new:
        parts += f", and {in_mib(reserve)} that stay free to finish turns when the disk is full"
    raise NoRoomError(
        f"Turnwire needs {in_mib(needed)} of free space for {folder.path} ({parts}), and its disk "
        f"has {in_mib(free)}. Make room there, or set TURNWIRE_DATA_DIR to a folder on another disk"
        + (", or TURNWIRE_STORAGE_RESERVE_BYTES to a smaller reserve." if is_new else ".")
    )


def require_room_for(folder: Path, size: int, reserve: int) -> None:
    """Return if so many bytes can be written there, and the reserve stays free.

    Raises `NoRoomError`.
    """
    free = free_in(folder)
    if free < size + reserve:
        raise NoRoomError(
            f"{folder} needs {in_mib(size)}, and {in_mib(reserve)} that stay free, and its disk "
            f"has {in_mib(free)}. Make room there, or name a folder on another disk."
        )


def room_to_restart(folder: Path, reserve: int) -> Callable[[], bool]:
    """Tell, when asked, whether what keeps files there may be started.

    A nats-server that is started on a full disk loses streams that it cannot open, and what was
    acknowledged.
    """
    needed = reserve * FOR_VIEWS
    return lambda: free_in(folder) >= needed
