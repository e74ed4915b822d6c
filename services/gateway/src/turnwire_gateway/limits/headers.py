"""Limits in answers: OpenAI's headers, and errors that name the limit and the way out. Pure."""

from collections.abc import Iterator
from typing import Final

from turnwire_contracts.errors.catalogue import failure
from turnwire_contracts.ids import TenantId
from turnwire_gateway.errors import ApiError
from turnwire_gateway.limits.limit_state import Gauge, Kind, QuotaRefused, RateLimitStatus

Header = tuple[bytes, bytes]

HEADER_NAMES: Final = tuple(
    f"x-ratelimit-{name}-{kind}"
    for kind in ("requests", "tokens")
    for name in ("limit", "remaining", "reset")
)
"""OpenAI's headers about limits."""

_SETTINGS: dict[Kind, str] = {
    "requests": "requests_per_minute",
    "tokens": "tokens_per_minute",
    "turns": "concurrent_turns",
    "streams": "concurrent_streams",
}
_WORDS: dict[Kind, str] = {
    "requests": "requests per minute",
    "tokens": "tokens per minute",
    "turns": "responses at the same time",
    "streams": "streams at the same time",
}
_SECOND_MS = 1000
_SOON_MS = 1000
"""Milliseconds to wait for a turn or stream to end; when one will is not known."""


def headers(status: RateLimitStatus) -> list[Header]:
    """Write OpenAI's `x-ratelimit-*` headers, for the limits that are set."""
    return [
        *_gauge("requests", status.requests),
        *_gauge("tokens", status.tokens),
    ]


def too_many(refused: QuotaRefused, tenant: TenantId) -> ApiError:
    """Say which limit is reached, whose it is, and when there is room again (HTTP 429)."""
    retry_ms = refused.retry_ms or _SOON_MS
    seconds = -(-retry_ms // _SECOND_MS)
    _, _, key = refused.account.partition(":")
    whose = f"API key '{key}'" if key else f"tenant '{tenant}'"
    setting = _SETTINGS[refused.kind]
    when = f"in {seconds} s" if refused.retry_ms else "when one of them has ended"
    message = (
        f"Rate limit reached for {whose}: at most {refused.limit} {_WORDS[refused.kind]}. Try "
        f"again {when}, or have the operator raise `{setting}` in TURNWIRE_LIMITS."
    )
    return ApiError(failure("rate_limit_exceeded", message), retry_after_s=seconds)


def duration(milliseconds: int) -> str:
    """Write milliseconds as OpenAI does: `120ms`, `8.64s`, `6m0s`."""
    if milliseconds < _SECOND_MS:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    seconds = f"{rest / _SECOND_MS:g}s"
    return f"{minutes}m{seconds}" if minutes else seconds


def _gauge(kind: str, gauge: Gauge | None) -> Iterator[Header]:
    if gauge is None:
        return
    for name, value in (
        ("limit", str(gauge.limit)),
        ("remaining", str(gauge.remaining)),
        ("reset", duration(gauge.reset_ms)),
    ):
        yield f"x-ratelimit-{name}-{kind}".encode(), value.encode()
