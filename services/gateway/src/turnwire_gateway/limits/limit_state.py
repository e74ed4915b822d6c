"""What is used of all limits of one tenant, and whether more may be acquired. Pure.

All accounts of a tenant (its own, and those of its keys) are in one limit state, so that what needs
room in several of them is acquired or refused in one step. Times are Unix milliseconds.
"""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from turnwire_gateway.limits.allowances import Account
from turnwire_gateway.limits.window import (
    Uses,
    added,
    all_back_at,
    recent,
    room_at,
    total,
)

_SKEW_MS = 5_000
"""How far the clocks of gateways may be apart."""

_DOUBT_MS = 60_000
"""For how long a writer may not know whether it has written."""

_LONGEST_LEASE_MS = 30_000
"""A lease is 10 s long, and clocks differ."""

Kind = Literal["requests", "tokens", "turns", "streams"]


class AccountUsage(Struct, frozen=True, omit_defaults=True):
    """What one account has used within the last span."""

    requests: Uses = ()
    tokens: Uses = ()


class Lease(Struct, frozen=True, omit_defaults=True):
    """What runs at one gateway now, by account; it counts until the gateway is silent too long."""

    until: int
    turns: dict[str, int] = {}
    streams: dict[str, int] = {}


class BackgroundSlot(Struct, frozen=True):
    """A background turn: no gateway waits for it, its own end releases it."""

    until: int
    """When it must have ended, should its end not be heard of."""
    accounts: list[str]


class WrittenStep(Struct, frozen=True):
    """What a gateway wrote last."""

    number: int
    at: int


class LimitState(Struct, frozen=True, omit_defaults=True):
    """All accounts of one tenant."""

    at: int = 0
    """The latest time that any gateway has written here: time never goes back."""
    used: dict[str, AccountUsage] = {}
    leases: dict[str, Lease] = {}
    """By gateway."""
    background: dict[str, BackgroundSlot] = {}
    """By response id."""
    steps: dict[str, WrittenStep] = {}
    """By gateway: what tells a writer whose confirmation was lost that it has written."""

    def has_step(self, gateway: str, number: int) -> bool:
        """Tell whether a step of a gateway is in here."""
        step = self.steps.get(gateway)
        return step is not None and step.number >= number


class Acquisition(Struct, frozen=True):
    """What one request takes of the limits of its accounts."""

    accounts: tuple[Account, ...]
    requests: int = 0
    """One at most."""
    turns: int = 0
    streams: int = 0
    background: str | None = None
    """The response id of a background turn."""
    until: int = 0
    """When a background turn must have ended."""


class QuotaReleased(Struct, frozen=True):
    """A turn has ended."""

    response_id: str
    accounts: tuple[str, ...]
    tokens: int


class Gauge(Struct, frozen=True):
    """How much of one of its limits an account has left."""

    limit: int
    remaining: int
    reset_ms: int
    """Milliseconds until all of it is free again, if nothing is added."""


class RateLimitStatus(Struct, frozen=True):
    """The tightest gauge of each kind."""

    requests: Gauge | None = None
    tokens: Gauge | None = None


class QuotaRefused(Struct, frozen=True):
    """An acquisition has no room, and in which account."""

    account: str
    kind: Kind
    limit: int
    retry_ms: int | None
    """Milliseconds until there is room; `None`: only the end of a turn or stream makes room."""
    status: RateLimitStatus = RateLimitStatus()


class Clock(Struct, frozen=True):
    """The time, and how long "per minute" is; milliseconds."""

    now: int
    span: int


def current(limit_state: LimitState, clock: Clock) -> LimitState:
    """Leave out what no longer counts."""
    now = clock.now if is_ahead(limit_state, clock) else max(clock.now, limit_state.at)
    used = {
        name: AccountUsage(
            recent(each.requests, now, clock.span), recent(each.tokens, now, clock.span)
        )
        for name, each in limit_state.used.items()
    }
    return LimitState(
        now,
        {name: each for name, each in used.items() if each.requests or each.tokens},
        {
            # One that lasts longer was written by a clock that is far ahead.
            name: each
            for name, each in limit_state.leases.items()
            if now < each.until <= now + _LONGEST_LEASE_MS
        },
        {name: each for name, each in limit_state.background.items() if each.until > now},
        {name: each for name, each in limit_state.steps.items() if each.at > now - _DOUBT_MS},
    )


def is_ahead(limit_state: LimitState, clock: Clock) -> bool:
    """Tell whether a clock was far ahead: waiting for its time would lock the tenant out."""
    return limit_state.at > clock.now + _SKEW_MS


def rate_refusal(
    limit_state: LimitState, acquisition: Acquisition, clock: Clock
) -> QuotaRefused | None:
    """Give the refusal of the rate that has no room for longest; `limit_state` must be current.

    What others have used since only adds to it: what an old limit state refuses, the newest one
    refuses as well.
    """
    found: list[QuotaRefused] = []
    for account in acquisition.accounts if acquisition.requests else ():
        allowance, used = account.allowance, limit_state.used.get(account.name, AccountUsage())
        rates: tuple[tuple[Kind, Uses, int | None], ...] = (
            ("requests", used.requests, allowance.requests_per_minute),
            ("tokens", used.tokens, allowance.tokens_per_minute),
        )
        for kind, uses, limit in rates:
            if limit is not None and total(uses) >= limit:
                wait = room_at(uses, limit - 1, clock.span) - clock.now
                found.append(QuotaRefused(account.name, kind, limit, max(1, wait)))
    return max(found, key=lambda refused: refused.retry_ms or 0, default=None)


def concurrency_refusal(limit_state: LimitState, acquisition: Acquisition) -> QuotaRefused | None:
    """Give the refusal of the account in which too much runs at once, if there is one.

    `limit_state` must be current, and the newest.
    """
    for account in acquisition.accounts:
        allowance, name = account.allowance, account.name
        limits: tuple[tuple[Kind, int, int | None], ...] = (
            ("turns", acquisition.turns, allowance.concurrent_turns),
            ("streams", acquisition.streams, allowance.concurrent_streams),
        )
        for kind, amount, limit in limits:
            if amount and limit is not None and running(limit_state, kind, name) + amount > limit:
                return QuotaRefused(name, kind, limit, None)
    return None


def running(limit_state: LimitState, kind: Kind, account: str) -> int:
    """Count the turns or streams of an account that run now, at all gateways."""
    if kind == "streams":
        return sum(lease.streams.get(account, 0) for lease in limit_state.leases.values())
    waited_for = sum(lease.turns.get(account, 0) for lease in limit_state.leases.values())
    return waited_for + sum(account in each.accounts for each in limit_state.background.values())


def acquired(
    limit_state: LimitState, acquisition: Acquisition, gateway: str, span: int
) -> LimitState:
    """Count an acquisition; `limit_state` must be current and have the gateway's lease."""
    used = dict(limit_state.used)
    for account in acquisition.accounts:
        if account.allowance.requests_per_minute is not None:
            usage = used.get(account.name, AccountUsage())
            requests = added(usage.requests, limit_state.at, acquisition.requests, span)
            used[account.name] = replace(usage, requests=requests)
    names = [account.name for account in acquisition.accounts]
    background = limit_state.background
    if acquisition.background is not None:
        background = {
            **background,
            acquisition.background: BackgroundSlot(acquisition.until, names),
        }
    lease = changed_lease(limit_state.leases[gateway], acquisition, 1)
    leases = {**limit_state.leases, gateway: lease}
    return replace(limit_state, used=used, leases=leases, background=background)


def changed_lease(lease: Lease, acquisition: Acquisition, sign: int) -> Lease:
    """Give a lease with (`sign` 1) or without (-1) what was acquired."""
    names = [account.name for account in acquisition.accounts]
    # A background turn is held by itself.
    turns = 0 if acquisition.background is not None else sign * acquisition.turns
    return replace(
        lease,
        turns=_plus(lease.turns, names, turns),
        streams=_plus(lease.streams, names, sign * acquisition.streams),
    )


def charged(limit_state: LimitState, ends: Iterable[QuotaReleased], span: int) -> LimitState:
    """Charge what turns cost, and release what they held; `limit_state` must be current."""
    used, background = dict(limit_state.used), dict(limit_state.background)
    for end in ends:
        background.pop(end.response_id, None)
        for name in end.accounts:
            usage = used.get(name, AccountUsage())
            tokens = added(usage.tokens, limit_state.at, end.tokens, span)
            used[name] = replace(usage, tokens=tokens)
    return replace(limit_state, used=used, background=background)


def status_of(
    limit_state: LimitState, accounts: Iterable[Account], clock: Clock
) -> RateLimitStatus:
    """Give the tightest gauge of each kind; `limit_state` must be current."""
    requests: list[Gauge] = []
    tokens: list[Gauge] = []
    for account in accounts:
        used = limit_state.used.get(account.name, AccountUsage())
        allowance = account.allowance
        for gauges, uses, limit in (
            (requests, used.requests, allowance.requests_per_minute),
            (tokens, used.tokens, allowance.tokens_per_minute),
        ):
            if limit is not None:
                reset = max(0, all_back_at(uses, clock.span) - clock.now)
                gauges.append(Gauge(limit, max(0, limit - total(uses)), reset))
    return RateLimitStatus(_tightest(requests), _tightest(tokens))


def _tightest(gauges: list[Gauge]) -> Gauge | None:
    return min(gauges, key=lambda gauge: gauge.remaining, default=None)


def _plus(counts: dict[str, int], names: list[str], amount: int) -> dict[str, int]:
    if not amount:
        return counts
    changed = {**counts, **{name: counts.get(name, 0) + amount for name in names}}
    return {name: count for name, count in changed.items() if count > 0}
