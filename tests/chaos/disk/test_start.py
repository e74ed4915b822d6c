"""A start on a disk that is too small: said before anything is started, with the way out."""

import re
import subprocess
from pathlib import Path

import pytest

from chaos.disk.rig.small_disk import MIB, small_disk
from e2e.rig.stack import Stack

pytestmark = [pytest.mark.chaos, pytest.mark.process]


def test_a_new_folder_needs_its_reserve_too(folder_of_disk: Path) -> None:
    with small_disk(folder_of_disk, 60) as disk:
        stack = Stack(disk.folder / "data", keyless=True)

        code, said = _up(stack)

        assert code == 1
        assert "needs 96 MiB of free space" in said
        assert str(stack.data) in said
        assert re.search(r"its disk has (59|60) MiB", said)
        assert "TURNWIRE_DATA_DIR" in said
        assert not stack.data.exists()


def test_a_folder_with_a_log_needs_room_to_start_only(folder_of_disk: Path) -> None:
    with small_disk(folder_of_disk, 60) as disk:
        stack = Stack(disk.folder / "data", keyless=True)
        (stack.data / "nats" / "jetstream").mkdir(parents=True)
        disk.fill(leave=20 * MIB)

        code, said = _up(stack)

        assert code == 1
        assert "needs 32 MiB of free space" in said


def _up(stack: Stack) -> tuple[int, str]:
    ended = subprocess.run(
        stack.command("up"), env=stack.environment, capture_output=True, text=True, check=False
    )
    return ended.returncode, ended.stdout + ended.stderr
