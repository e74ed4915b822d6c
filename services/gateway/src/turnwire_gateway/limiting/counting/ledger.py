"""What is used of all limits of one tenant, and whether something more has room. Pure.

All accounts of a tenant (its own, and those of its keys) stand in one ledger, so that what must
have room in several of them is let in or refused in one step.
"""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from turnwire_gateway.limiting.allowances import Account
from turnwire_gateway.limiting.counting.window import (
    Uses,
    added,
    all_back_at,
    recent,
    room_at,
    total,
)

_SKEW_MS = 5_000
"""How far the clocks of gateways may be apart."""

Kind = Literal["requests", "tokens", "turns", "streams"]


class Used(Struct, frozen=True, omit_defaults=True):
    """What one account has used within the last span."""

    requests: Uses = ()
    tokens: Uses = ()


class Lease(Struct, frozen=True, omit_defaults=True):
    """What runs at one gateway now, by account; it counts until the gateway is silent too long."""

    until: int
    turns: dict[str, int] = {}
    streams: dict[str, int] = {}


class Held(Struct, frozen=True):
    """A background turn: no gateway waits for it, its own end sets it free."""

    until: int
    """When it must have ended, should nobody say so."""
    accounts: list[str]


class Ledger(Struct, frozen=True, omit_defaults=True):
    """All accounts of one tenant."""

    at: int = 0
    """The latest time that any gateway has written here: time never goes back."""
    used: dict[str, Used] = {}
    leases: dict[str, Lease] = {}
    """By gateway."""
    background: dict[str, Held] = {}
    """By response id."""


class Want(Struct, frozen=True):
    """What somebody asks to be let in with."""

    accounts: tuple[Account, ...]
    requests: int = 0
    """One at most."""
    turns: int = 0
    streams: int = 0
    background: str | None = None
    """The response id of a background turn."""
    until: int = 0
    """When a background turn must have ended."""


class Ended(Struct, frozen=True):
    """A turn has ended."""

    response_id: str
    accounts: tuple[str, ...]
    tokens: int


class Gauge(Struct, frozen=True):
    """Where an account stands with one kind of its limits."""

    limit: int
    remaining: int
    reset_ms: int
    """Until nothing is used of it, if nothing is added."""


class Standing(Struct, frozen=True):
    """The tightest gauge of each kind."""

    requests: Gauge | None = None
    tokens: Gauge | None = None


class Refused(Struct, frozen=True):
    """There is no room, and in which account."""

    account: str
    kind: Kind
    limit: int
    retry_ms: int | None
    """How long until there is some, if nobody else takes it; `None`: only an end makes room."""
    standing: Standing = Standing()


class Clock(Struct, frozen=True):
    """What time it is, and how long a span of time is; milliseconds."""

    now: int
    span: int


def current(ledger: Ledger, clock: Clock) -> Ledger:
    """Leave out what no longer counts."""
    now = clock.now if is_ahead(ledger, clock) else max(clock.now, ledger.at)
    used = {
        name: Used(recent(each.requests, now, clock.span), recent(each.tokens, now, clock.span))
        for name, each in ledger.used.items()
    }
    return Ledger(
        now,
        {name: each for name, each in used.items() if each.requests or each.tokens},
        {name: each for name, each in ledger.leases.items() if each.until > now},
        {name: each for name, each in ledger.background.items() if each.until > now},
    )


def is_ahead(ledger: Ledger, clock: Clock) -> bool:
    """Tell whether some clock was far ahead: waiting for its time would lock the tenant out."""
    return ledger.at > clock.now + _SKEW_MS


def rate_refusal(ledger: Ledger, want: Want, clock: Clock) -> Refused | None:
    """Tell which rate has no room for longest; `ledger` must be current.

    What others have used since only adds to it: who is refused by an old ledger is refused by the
    newest as well.
    """
    found: list[Refused] = []
    for account in want.accounts if want.requests else ():
        allowance, used = account.allowance, ledger.used.get(account.name, Used())
        rates: tuple[tuple[Kind, Uses, int | None], ...] = (
            ("requests", used.requests, allowance.requests_per_minute),
            ("tokens", used.tokens, allowance.tokens_per_minute),
        )
        for kind, uses, limit in rates:
            if limit is not None and total(uses) >= limit:
                wait = room_at(uses, limit - 1, clock.span) - clock.now
                found.append(Refused(account.name, kind, limit, max(1, wait)))
    return max(found, key=lambda refused: refused.retry_ms or 0, default=None)


def crowd_refusal(ledger: Ledger, want: Want) -> Refused | None:
    """Tell where too much runs at once; `ledger` must be current, and the newest."""
    for account in want.accounts:
        allowance, name = account.allowance, account.name
        crowds: tuple[tuple[Kind, int, int | None], ...] = (
            ("turns", want.turns, allowance.concurrent_turns),
            ("streams", want.streams, allowance.concurrent_streams),
        )
        for kind, wanted, limit in crowds:
            if wanted and limit is not None and running(ledger, kind, name) + wanted > limit:
                return Refused(name, kind, limit, None)
    return None


def running(ledger: Ledger, kind: Kind, account: str) -> int:
    """Count the turns or streams of an account that run now, at all gateways."""
    if kind == "streams":
        return sum(lease.streams.get(account, 0) for lease in ledger.leases.values())
    waited_for = sum(lease.turns.get(account, 0) for lease in ledger.leases.values())
    return waited_for + sum(account in each.accounts for each in ledger.background.values())


def let_in(ledger: Ledger, want: Want, gateway: str, span: int) -> Ledger:
    """Count what is let in; `ledger` must be current and have the gateway's lease."""
    used = dict(ledger.used)
    for account in want.accounts:
        if account.allowance.requests_per_minute is not None:
            before = used.get(account.name, Used())
            requests = added(before.requests, ledger.at, want.requests, span)
            used[account.name] = replace(before, requests=requests)
    names = [account.name for account in want.accounts]
    background = ledger.background
    if want.background is not None:
        background = {**background, want.background: Held(want.until, names)}
    lease = grown(ledger.leases[gateway], want, 1)
    leases = {**ledger.leases, gateway: lease}
    return Ledger(ledger.at, used, leases, background)


def grown(lease: Lease, want: Want, sign: int) -> Lease:
    """Give a lease with (`sign` 1) or without (-1) what somebody was let in with."""
    names = [account.name for account in want.accounts]
    # A background turn is held by itself.
    turns = 0 if want.background is not None else sign * want.turns
    return replace(
        lease,
        turns=_plus(lease.turns, names, turns),
        streams=_plus(lease.streams, names, sign * want.streams),
    )


def charged(ledger: Ledger, ends: Iterable[Ended], span: int) -> Ledger:
    """Charge what turns cost, and set free what they held; `ledger` must be current."""
    used, background = dict(ledger.used), dict(ledger.background)
    for end in ends:
        background.pop(end.response_id, None)
        for name in end.accounts:
            before = used.get(name, Used())
            tokens = added(before.tokens, ledger.at, end.tokens, span)
            used[name] = replace(before, tokens=tokens)
    return replace(ledger, used=used, background=background)


def standing(ledger: Ledger, accounts: Iterable[Account], clock: Clock) -> Standing:
    """Give the tightest gauge of each kind; `ledger` must be current."""
    requests: list[Gauge] = []
    tokens: list[Gauge] = []
    for account in accounts:
        used = ledger.used.get(account.name, Used())
        allowance = account.allowance
        for gauges, uses, limit in (
            (requests, used.requests, allowance.requests_per_minute),
            (tokens, used.tokens, allowance.tokens_per_minute),
        ):
            if limit is not None:
                reset = max(0, all_back_at(uses, clock.span) - clock.now)
                gauges.append(Gauge(limit, max(0, limit - total(uses)), reset))
    return Standing(_tightest(requests), _tightest(tokens))


def _tightest(gauges: list[Gauge]) -> Gauge | None:
    return min(gauges, key=lambda gauge: gauge.remaining, default=None)


def _plus(counts: dict[str, int], names: list[str], amount: int) -> dict[str, int]:
    if not amount:
        return counts
    changed = {**counts, **{name: counts.get(name, 0) + amount for name in names}}
    return {name: count for name, count in changed.items() if count > 0}
