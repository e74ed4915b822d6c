"""A disk of a few MiB that a test fills and empties: a tmpfs."""

import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

MIB = 1024 * 1024
_CHUNK = 64 * 1024


class SmallDisk:
    """One mounted disk, and a file on it that takes the room away."""

    def __init__(self, folder: Path) -> None:
        """`folder`: where it is mounted."""
        self.folder = folder
        self._ballast = folder / "ballast"

    @property
    def free(self) -> int:
        """How many bytes are free."""
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def fill(self, leave: int = 0) -> None:
        """Take all room but `leave` bytes, and what is written at the same time."""
        with self._ballast.open("ab", buffering=0) as file:
            try:
                while (left := self.free - leave) > 0:
                    file.write(bytes(min(left, _CHUNK)))
            except OSError:
                # Another process was faster: nothing is left.
                return

    def make_room(self) -> None:
        """Give back what `fill` took."""
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path, mib: int) -> Generator[SmallDisk]:
    """Mount a disk of that size at `folder`; skips the test where that is not permitted."""
    folder.mkdir()
    size = f"size={mib}m,mode=700"
    mounted = subprocess.run(
        ("mount", "-t", "tmpfs", "-o", size, "turnwire-test", str(folder)),
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        # Lazily: a process that a failed test left behind must not keep it.
        subprocess.run(("umount", "--lazy", str(folder)), check=False)
