"""When a backend that refuses wants to be asked again, by its headers. Pure.

RFC 9110 §10.2.3 (`Retry-After`: seconds or a date), `retry-after-ms` (Azure, OpenAI's SDKs), and
OpenAI's `x-ratelimit-reset-*` of a limit of which nothing remains.
"""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from math import ceil, isfinite
from typing import Final

_LONGEST_S: Final = 24 * 60 * 60
_RATE_LIMITED: Final = 429
_KINDS: Final = ("requests", "tokens")

_DURATION: Final = re.compile(
    r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:([\d.]+)s)?(?:([\d.]+)ms)?"
)
"""OpenAI and Groq: `120ms`, `8.64s`, `6m0s`, `1h2m3s`."""

_IN_SECONDS: Final = (86_400, 3600, 60, 1, 0.001)


def retry_after_s(status: int, headers: Mapping[str, str], now_s: float) -> int | None:
    """Give in how many seconds to ask again, at least one; `None` when nothing says so.

    `now_s` is the Unix time, for a header that names a date.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    seconds = None if milliseconds is None else milliseconds / 1000
    if seconds is None:
        seconds = _seconds(headers.get("retry-after"), now_s)
    if seconds is None and status == _RATE_LIMITED:
        seconds = _until_reset(headers)
    if seconds is None or not 0 <= seconds <= _LONGEST_S:
        return None
    return max(1, ceil(seconds))


def _seconds(value: str | None, now_s: float) -> float | None:
    seconds = _number(value)
    if seconds is not None or value is None:
        return seconds
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now_s)
    except (ValueError, OverflowError):
        return None


def _until_reset(headers: Mapping[str, str]) -> float | None:
    used_up = [
        _duration(headers.get(f"x-ratelimit-reset-{kind}", ""))
        for kind in _KINDS
        if headers.get(f"x-ratelimit-remaining-{kind}", "").strip() == "0"
    ]
    return max((each for each in used_up if each is not None), default=None)


def _duration(value: str) -> float | None:
    if (seconds := _number(value)) is not None:
        return seconds
    match = _DURATION.fullmatch(value.strip())
    if not match or not match.group():
        return None
    parts = [_number(part) or 0.0 for part in match.groups()]
    return sum(part * unit for part, unit in zip(parts, _IN_SECONDS, strict=True))


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if isfinite(number) else None
