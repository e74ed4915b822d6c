"""Calls of the system that fail in a process that runs already: `strace` injects the error."""

import shutil
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

_ATTACHED_WITHIN_S = 10.0


@contextmanager
def failing_calls(pid: int, call: str, error: str) -> Generator[None]:
    """Let every `call` of a process fail inside the block, until the process ends.

    Skips the test where strace is missing or may not look into processes.
    """
    program = shutil.which("strace")
    if program is None:
        pytest.skip("strace is not installed")
    tracer = subprocess.Popen(
        (
            program,
            "-f",
            "-p",
            str(pid),
            "-e",
            f"trace={call}",
            "-e",
            f"inject={call}:error={error}",
        ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _wait_until_traced(tracer, pid)
        yield
    finally:
        tracer.terminate()
        tracer.communicate(timeout=_ATTACHED_WITHIN_S)


def _wait_until_traced(tracer: "subprocess.Popen[str]", pid: int) -> None:
    until = time.monotonic() + _ATTACHED_WITHIN_S
    while time.monotonic() < until:
        if tracer.poll() is not None:
            said = tracer.stderr.read().strip() if tracer.stderr else ""
            pytest.skip(f"strace may not look into processes here: {said}")
        if _tracer_of(pid) == tracer.pid:
            return
        time.sleep(0.02)
    raise TimeoutError("strace did not attach")


def _tracer_of(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(dict(line.split(":", 1) for line in status.splitlines())["TracerPid"])
