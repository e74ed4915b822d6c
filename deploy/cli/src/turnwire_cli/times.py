"""How a moment and a duration are written for people."""

from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum
from typing import Final, assert_never

_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"))
_MILLISECONDS_UNTIL_S: Final = 1.0
_TENTHS_UNTIL_S: Final = 120.0


class TimeFormat(Enum):
    """How moments are written."""

    ISO = "iso"
    RELATIVE = "relative"
    RAW = "raw"


def moment(at: float | None, written: TimeFormat, now: Callable[[], float]) -> str:
    """Write a moment, given in Unix seconds; one that is not there is empty."""
    if at is None:
        return ""
    match written:
        case TimeFormat.ISO:
            when = datetime.fromtimestamp(at, UTC)
            return when.isoformat(timespec="milliseconds" if at % 1 else "seconds")
        case TimeFormat.RELATIVE:
            return f"{ago(now() - at)} ago"
        case TimeFormat.RAW:
            return f"{at:.3f}" if at % 1 else str(int(at))
        case _:
            assert_never(written)


def ago(seconds: float) -> str:
    """Write how long something is ago, in its largest unit."""
    for unit, name in _UNITS:
        if seconds >= unit:
            return f"{seconds // unit:.0f} {name}"
    return f"{max(seconds, 0):.0f} s"


def lasted(seconds: float) -> str:
    """Write a duration as exactly as it is of use."""
    if seconds < _MILLISECONDS_UNTIL_S:
        return f"{seconds * 1000:.0f} ms"
    if seconds < _TENTHS_UNTIL_S:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"
