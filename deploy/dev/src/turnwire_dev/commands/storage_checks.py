"""What `turnwire doctor` says of room: on the disk of the data folder, and in the event log."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

from turnwire_chassis.jetstream.topology import log_trouble
from turnwire_chassis.storage_space import in_mib
from turnwire_dev.commands.checks import CheckFailed, CheckPassed, Finding
from turnwire_dev.commands.operator import NoBrokerError, connected
from turnwire_dev.instance.disk import NoRoomError, free_in, require_room
from turnwire_dev.instance.folder import DataFolder
from turnwire_dev.settings import RunnerSettings

GIB = 1024**3
# This is room for some days of use.
LEAST_FREE = GIB

_DATA = "data"
_LOG = "event log"
_WITHIN_S = 3.0
_MAKE_ROOM = "Make room, or set TURNWIRE_DATA_DIR to another disk."


def check_folder(settings: RunnerSettings, folder: DataFolder) -> Iterator[Finding]:
    """Check that data can be written, that a start has room, and that 1 GiB is free."""
    path = next(place for place in (folder.path, *folder.path.parents) if place.exists())
    if not os.access(path, os.W_OK | os.X_OK):
        yield CheckFailed(
            _DATA, f"{path} cannot be written", "Set TURNWIRE_DATA_DIR to a folder of yours."
        )
        return
    free, reserve = free_in(path), settings.storage_reserve_bytes
    if free < reserve:
        text = (
            f"the disk of {folder.path} is full: {in_mib(free)} are free, and {in_mib(reserve)} "
            f"are the reserve, so new turns are refused (storage_full); {_taken(folder)}"
        )
        yield CheckFailed(_DATA, text, _MAKE_ROOM)
    elif free < LEAST_FREE:
        text = f"{folder.path} has {free / GIB:.2f} GiB free, and 1 is too little"
        yield CheckFailed(_DATA, text, _MAKE_ROOM)
    else:
        yield CheckPassed(_DATA, f"{folder.path}, {free / GIB:.0f} GiB free")
    if settings.keeps_data_here and not folder.is_held():
        yield from _check_start(folder, reserve)


def _check_start(folder: DataFolder, reserve: int) -> Iterator[Finding]:
    try:
        require_room(folder, reserve)
    except NoRoomError as error:
        yield CheckFailed("start", str(error), "Nothing is started before.")


async def check_event_log(nats_url: str | None) -> list[Finding]:
    """Check that the log takes events: it has room, a leader, and a majority; none to ask: none."""
    if nats_url is None:
        return []
    try:
        async with asyncio.timeout(_WITHIN_S), connected() as client:
            trouble = await log_trouble(client)
    except (NoBrokerError, TimeoutError):
        # Another check says that the broker is away.
        return []
    if trouble is None:
        return [CheckPassed(_LOG, "takes events")]
    return [CheckFailed(_LOG, f"takes no events: {trouble}", "See docs/operations.md, Disk.")]


def _taken(folder: DataFolder) -> str:
    parts = {"the log": folder.nats, "views": folder.mongo, "log files": folder.logs}
    taken = ", ".join(f"{name} {in_mib(_size(place))}" for name, place in parts.items())
    return f"there lie {taken}"


def _size(folder: Path) -> int:
    """Give the bytes that a folder's files take on the disk; files come and go meanwhile."""
    size = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                size += os.lstat(os.path.join(place, name)).st_blocks * 512  # noqa: PTH118 -- a walk
            except OSError:
                continue
    return size
