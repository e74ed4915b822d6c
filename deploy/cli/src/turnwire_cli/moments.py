"""Moments as people write them: a date and time, or how far away: 30m, 12h, 7d."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_SPAN: Final = re.compile(r"(\d{1,6})([mhd])")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}


def moment_ago(text: str, now_ms: int) -> int:
    """Read a moment, or how long ago it was, as Unix milliseconds; raises `ValueError`."""
    span = _span(text)
    return _moment(text, "ago") if span is None else now_ms - span


def moment_ahead(text: str, now_ms: int) -> int:
    """Read a moment, or how far ahead it is, as Unix milliseconds; raises `ValueError`."""
    span = _span(text)
    return _moment(text, "from now on") if span is None else now_ms + span


def _span(text: str) -> int | None:
    found = _SPAN.fullmatch(text)
    if found is None:
        return None
    return round(timedelta(**{_UNITS[found[2]]: int(found[1])}).total_seconds() * 1000)


def _moment(text: str, direction: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(
            f"{text} is no time; write 2026-11-27T08:00, or 30m, 12h, 7d {direction}"
        ) from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)
