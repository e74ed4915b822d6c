"""Recorded turns as regression tests: logs, and beside each what it was folded to.

<folder>/<name>.jsonl           an exported log
<folder>/<name>.folded.json     the state after its last event, of each of its turns
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from turnwire_cli.replaying import log_file
from turnwire_cli.replaying.folding import FoldDifference, first_difference, folded
from turnwire_cli.replaying.log_file import LogEntry, LogFile
from turnwire_contracts.json_values import JSON

_LOG: Final = ".jsonl"
_FOLDED: Final = ".folded.json"


class RegressionError(Exception):
    """The folder has nothing to compare, or would lose something; the text says what."""


def keep(log: Path, folder: Path) -> tuple[Path, LogFile]:
    """Put a log into a folder with what it is folded to now; gives where, and the log.

    Raises `RegressionError` where another log has that name, and what reading and folding raise.
    """
    found = log_file.read(log)
    heading = found.heading
    name = (heading.id or heading.kind) if heading else (found.owners or [log.stem])[0]
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"{name}{_LOG}"
    content = log.read_bytes()
    if place.exists() and place.read_bytes() != content:
        raise RegressionError(f"{place} is there, with another log; move it away first.")
    states = _last(found.entries)
    place.write_bytes(content)
    written = msgspec.json.format(msgspec.json.encode(states), indent=2)
    place.with_name(f"{name}{_FOLDED}").write_bytes(written + b"\n")
    return place, found


def compare(folder: Path) -> Iterator[tuple[Path, FoldDifference | None]]:
    """Fold each log of a folder again; gives how it differs from what it was folded to.

    Raises `RegressionError` for a folder without any, and what reading and folding raise.
    """
    logs = sorted(folder.glob(f"*{_LOG}"))
    if not logs:
        raise RegressionError(f"{folder} has no {_LOG}: put some there with import --into.")
    for log in logs:
        expected = log.with_name(log.name.removesuffix(_LOG) + _FOLDED)
        if not expected.exists():
            raise RegressionError(f"{expected} is not there: what was {log.name} folded to?")
        states = _last(log_file.read(log).entries)
        yield log, first_difference(states, msgspec.json.decode(expected.read_bytes()))


def _last(entries: list[LogEntry]) -> list[JSON]:
    """Give the state of each turn after its last event."""
    return [*{each["id"]: each for each in folded(entries)}.values()]
