"""What a supervised child went through, as facts for the screen and the run file."""

import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias


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
class ChildDied:
    """It ended by itself and starts again after `pause` seconds."""

    name: str
    exit_code: int
    pause: float
    log: Path


@dataclass(frozen=True, slots=True)
class ChildGivenUp:
    """It died too often without ever being ready. `tail`: the last lines of its log."""

    name: str
    exit_code: int
    deaths: int
    log: Path
    tail: tuple[str, ...]


Report: TypeAlias = ChildStarted | ChildBecameReady | ChildDied | ChildGivenUp
Tell: TypeAlias = Callable[[Report], None]


def exit_in_words(exit_code: int) -> str:
    """`exit code 3`, or the signal's name for the negative codes of `asyncio.subprocess`."""
    if exit_code >= 0:
        return f"exit code {exit_code}"
    try:
        return signal.Signals(-exit_code).name
    except ValueError:
        return f"signal {-exit_code}"
