"""One step of a ledger: everything that came together is charged, let in, or refused. Pure."""

from msgspec import Struct
from msgspec.structs import replace

from turnwire_gateway.limiting.counting.ledger import (
    Clock,
    Ended,
    Lease,
    Ledger,
    Refused,
    Standing,
    Want,
    charged,
    crowd_refusal,
    current,
    is_ahead,
    let_in,
    rate_refusal,
    standing,
)

LEASE_MS = 10_000
"""What runs at a gateway that has been silent for so long counts no more."""

_RENEWED_WITH_LEFT_MS = 6_500

Verdict = Standing | Refused
"""Whoever is let in has a standing."""


class Batch(Struct, frozen=True):
    """What came together at one gateway."""

    wants: list[Want]
    ends: list[Ended]
    turns: dict[str, int]
    """What runs there already, by account: the gateway knows it best, whatever is written."""
    streams: dict[str, int]


def settle(
    ledger: Ledger, batch: Batch, gateway: str, clock: Clock
) -> tuple[Ledger, list[Verdict]]:
    """Give the next ledger, and what becomes of each want, in their order."""
    ledger = charged(current(ledger, clock), batch.ends, clock.span)
    lease = Lease(_until(ledger, gateway), batch.turns, batch.streams)
    ledger = replace(ledger, leases={**ledger.leases, gateway: lease})
    verdicts: list[Verdict] = []
    for want in batch.wants:
        refused = rate_refusal(ledger, want, clock) or crowd_refusal(ledger, want)
        if refused is None:
            ledger = let_in(ledger, want, gateway, clock.span)
        stands = standing(ledger, want.accounts, clock)
        verdicts.append(stands if refused is None else replace(refused, standing=stands))
    return _without_idle(ledger, gateway), verdicts


def is_same(settled: Ledger, before: Ledger, clock: Clock) -> bool:
    """Tell whether there is nothing to write down."""
    if is_ahead(before, clock):
        return False
    return replace(settled, at=0) == replace(current(before, clock), at=0)


def _until(ledger: Ledger, gateway: str) -> int:
    """Renew a lease when a good part of it is over; others need not hear of it before."""
    lease = ledger.leases.get(gateway)
    if lease is not None and lease.until - ledger.at > _RENEWED_WITH_LEFT_MS:
        return lease.until
    return ledger.at + LEASE_MS


def _without_idle(ledger: Ledger, gateway: str) -> Ledger:
    lease = ledger.leases[gateway]
    if lease.turns or lease.streams:
        return ledger
    leases = {name: each for name, each in ledger.leases.items() if name != gateway}
    return replace(ledger, leases=leases)
