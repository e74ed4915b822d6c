"""A log line that cannot be written harms nothing, and says later that it was lost."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from turnwire_chassis.log_stream import LogStream

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")

LOGS_TO_NOWHERE = """\
import logging, structlog
from turnwire_chassis.logs import start_logging
start_logging("test", "info")
for number in range(3):
    structlog.get_logger().info("a fact", number=number)
    logging.getLogger("a library").warning("a remark")
try:
    raise OSError("disk")
except OSError:
    structlog.get_logger().exception("a fault")
print("went on")
"""


@needs_full
def test_a_process_whose_log_is_full_goes_on_and_ends_well() -> None:
    with FULL.open("wb") as full:
        ended = subprocess.run(
            [sys.executable, "-c", LOGS_TO_NOWHERE],
            stdout=subprocess.PIPE,
            stderr=full,
            check=False,
        )

    assert ended.stdout == b"went on\n"
    assert ended.returncode == 0


@needs_full
def test_how_many_lines_were_lost_stands_before_the_first_that_is_written_again(
    tmp_path: Path,
) -> None:
    file = tmp_path / "log"
    descriptor = os.open(FULL, os.O_WRONLY)
    stream = LogStream(descriptor)
    stream.write("one\n")
    stream.write("two\n")

    with file.open("wb") as room:
        os.dup2(room.fileno(), descriptor)
    stream.write("three\n")
    stream.write("four\n")
    os.close(descriptor)

    lost, *lines = file.read_text(encoding="utf-8").splitlines()
    assert json.loads(lost)["lines"] == 2
    assert lines == ["three", "four"]


def test_a_line_that_was_cut_does_not_spoil_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "log"
    write, left = os.write, [3]

    def write_until_full(descriptor: int, data: bytes) -> int:
        if not left[0]:
            raise OSError(28, "No space left on device")
        written = write(descriptor, data[: left[0]])
        left[0] -= written
        return written

    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT)
    stream = LogStream(descriptor)
    monkeypatch.setattr(os, "write", write_until_full)
    stream.write("a long line\n")
    left[0] = 1000
    stream.write("the next\n")
    monkeypatch.undo()
    os.close(descriptor)

    cut, lost, line = file.read_text(encoding="utf-8").splitlines()
    assert cut == "a l"
    assert json.loads(lost)["lines"] == 1
    assert line == "the next"
