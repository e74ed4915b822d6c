"""Logs folded by today's code, by that of another checkout, or as they were once folded."""

import os
import subprocess  # nosec B404 -- runs our own program
import sys
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final, cast

import msgspec

from turnwire_cli.replaying import fold_program
from turnwire_cli.replaying.log_file import LogEntry
from turnwire_contracts import codec
from turnwire_contracts.event_kinds import subject_of
from turnwire_contracts.json_values import JSON

_WITHIN_S: Final = 600
_CONTRACTS: Final = Path("libs/contracts/src")


class CannotFoldError(Exception):
    """The fold did not run; the text says why."""


class FoldDifference(msgspec.Struct, frozen=True):
    """The first place where two folds of a log disagree."""

    sequence: int
    """The event after which they do."""
    id: str
    kind: str
    path: str
    """Where in the state: `data.request.model`."""
    here: Any
    there: Any


def folded(entries: Sequence[LogEntry], checkout: Path | None = None) -> list[JSON]:
    """Fold the events of turns; gives the state after each, as `fold_program.py` tells it.

    `checkout`: another clone of Turnwire, whose fold it is to be; `None`: the one installed here.
    Raises `CannotFoldError`.
    """
    contracts = None if checkout is None else _contracts_of(checkout)
    environment = dict(os.environ)
    if contracts is not None:
        environment["PYTHONPATH"] = str(contracts)
    lines = b"".join(_line(each) for each in entries)
    ran = subprocess.run(  # noqa: S603 # nosec B603 - our own program
        (sys.executable, str(fold_program.__file__)),
        input=lines,
        env=environment,
        capture_output=True,
        check=False,
        timeout=_WITHIN_S,
    )
    if ran.returncode != 0:
        raise CannotFoldError(f"the fold ended with {ran.returncode}:\n{ran.stderr.decode()}")
    first, *states = [msgspec.json.decode(line) for line in ran.stdout.splitlines()]
    if contracts is not None and not Path(first["contracts"]).is_relative_to(contracts):
        raise CannotFoldError(f"the fold came from {first['contracts']}, and not from {checkout}.")
    return states


def first_difference(here: Sequence[JSON], there: Sequence[JSON]) -> FoldDifference | None:
    """Compare two folds event by event; `None`: they agree everywhere."""
    for ours, theirs in zip_longest(here, there):
        found = _different(ours, theirs, "")
        if found is not None:
            about = ours or theirs
            path, left, right = found
            return FoldDifference(about["sequence"], about["id"], about["kind"], path, left, right)
    return None


def _different(here: Any, there: Any, path: str) -> tuple[str, Any, Any] | None:
    """Find the first place at which two values differ, members by name, items by number."""
    if isinstance(here, dict) and isinstance(there, dict):
        left, right = cast("JSON", here), cast("JSON", there)
        names = dict.fromkeys((*left, *right))
        pairs = [
            (f"{path}.{each}" if path else each, left.get(each), right.get(each)) for each in names
        ]
    elif isinstance(here, list) and isinstance(there, list):
        items = zip_longest(cast("list[Any]", here), cast("list[Any]", there))
        pairs = [(f"{path}[{number}]", *each) for number, each in enumerate(items)]
    else:
        return None if here == there else (path, cast("Any", here), there)
    differences = (_different(one, other, below) for below, one, other in pairs)
    return next((each for each in differences if each is not None), None)


def _contracts_of(checkout: Path) -> Path:
    contracts = (checkout / _CONTRACTS).resolve()
    if not contracts.is_dir():
        raise CannotFoldError(f"{checkout} is no checkout of Turnwire: {contracts} is not there.")
    return contracts


def _line(entry: LogEntry) -> bytes:
    body = msgspec.json.decode(codec.encode(entry.event))
    line = {"sequence": entry.sequence, "subject": subject_of(entry.event), "event": body}
    return msgspec.json.encode(line) + b"\n"
