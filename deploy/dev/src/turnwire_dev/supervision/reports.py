"""What a supervised child went through, as facts for the screen and the run file."""

import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias


@dataclass(frozen=True, slots=True)
class ChildStarted:
    """The process runs; it may not answer yet."""

    name: str
    pid: int


@dataclass(frozen=True, slots=True)
class ChildBecameReady:
    """It answers. `seconds` since this start; `again` after a restart."""

    name: str
    seconds: float
    again: bool


@dataclass(frozen=True, slots=True)
class ChildEnded:
    """The process ended, though this runner did not end it; it starts again in `pause` seconds."""

    name: str
    exit_code: int
    pause: float
    log: Path


@dataclass(frozen=True, slots=True)
class ChildWaitsForRoom:
    """It is not started as long as the disk is full: it could damage what it keeps."""

    name: str


@dataclass(frozen=True, slots=True)
class ChildGivenUp:
    """It ended too often without ever being ready. `tail`: the last lines of its log."""

    name: str
    exit_code: int
    deaths: int
    log: Path
    tail: tuple[str, ...]


Report: TypeAlias = ChildStarted | ChildBecameReady | ChildEnded | ChildWaitsForRoom | ChildGivenUp
Tell: TypeAlias = Callable[[Report], None]


_ASKED_TO: Final = (0, -signal.SIGTERM, -signal.SIGINT)
"""How a process ends that was told to, by a person or another program."""


def end_in_words(exit_code: int) -> str:
    """Say how a process ended: `ended (exit code 0)` if it was told to, else `died (SIGKILL)`."""
    verb = "ended" if exit_code in _ASKED_TO else "died"
    return f"{verb} ({exit_in_words(exit_code)})"


def exit_in_words(exit_code: int) -> str:
    """`exit code 3`, or the signal's name for the negative codes of `asyncio.subprocess`."""
    if exit_code >= 0:
        return f"exit code {exit_code}"
    try:
        return signal.Signals(-exit_code).name
    except ValueError:
        return f"signal {-exit_code}"
