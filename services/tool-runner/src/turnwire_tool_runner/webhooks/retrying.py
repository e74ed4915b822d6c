"""What an attempt came to, and when the next one is due. Pure.

How long an event has waited says when it is tried again: an event that is two minutes old about two
minutes later. So the times between attempts double, and nothing has to be remembered between them.
"""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final, Literal

from msgspec import Struct

Result = Literal["delivered", "refused", "unreachable", "gone", "forbidden"]
"""`refused`: the receiver answered otherwise than 2xx. `gone`: it wants no more of it (410).
`forbidden`: its URL leads where nothing may be sent to. The last two are not tried again."""

_FINAL: Final = frozenset({"gone", "forbidden"})
_FIRST_S: Final = 2.0
_LONGEST_S: Final = 6 * 3600.0
_SPREAD: Final = 0.5
"""Of the delay: what failed together is not tried again together."""

_BUSY_SHARE: Final = 0.5
_BUSY_S: Final = (1.0, 300.0)


class Attempt(Struct, frozen=True):
    """How one attempt ended."""

    result: Result
    reason: str
    """For operators; says no URL and nothing that the receiver wrote."""
    retry_after_s: float | None = None
    """In how many seconds the receiver wants to be asked again."""


def read_answer(status: int, headers: Mapping[str, str], now_s: float) -> Attempt:
    """Say what an answer means. `now_s` is the Unix time.

    Standard Webhooks: 2xx is taken, a redirect is not, 410 ends it. RFC 9110: `Retry-After`.
    """
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Attempt("delivered", f"HTTP {status}")
    if status == HTTPStatus.GONE:
        return Attempt("gone", "HTTP 410: the receiver wants no more of it")
    return Attempt("refused", f"HTTP {status}", _retry_after_s(headers.get("retry-after"), now_s))


def next_attempt_s(attempt: Attempt, age_s: float, give_up_s: float, chance: float) -> float | None:
    """Give in how many seconds to try again; `None`: it is given up.

    `age_s`: for how long the event has waited; `chance`: a random number from 0 to 1.
    """
    if attempt.result in _FINAL or age_s >= give_up_s:
        return None
    delay_s = min(max(age_s, _FIRST_S), _LONGEST_S) * (1 + _SPREAD * (2 * chance - 1))
    delay_s = max(delay_s, min(attempt.retry_after_s or 0.0, _LONGEST_S))
    return min(delay_s, give_up_s - age_s)


def busy_s(age_s: float, chance: float) -> float:
    """Give in how many seconds to look for a place again, of an event that found none."""
    least, most = _BUSY_S
    return min(max(_BUSY_SHARE * age_s, least), most) * (1 + chance)


def _retry_after_s(value: str | None, now_s: float) -> float | None:
    if value is None:
        return None
    if value.strip().isdecimal() and value.isascii():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now_s)
    except (ValueError, OverflowError):
        return None
