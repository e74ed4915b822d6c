"""One step of a limit state: what came together is charged, acquired, or refused. Pure."""

from msgspec import Struct
from msgspec.structs import replace

from turnwire_gateway.limits.limit_state import (
    Acquisition,
    Clock,
    Lease,
    LimitState,
    QuotaRefused,
    QuotaReleased,
    RateLimitStatus,
    WrittenStep,
    acquired,
    charged,
    concurrency_refusal,
    current,
    is_ahead,
    rate_refusal,
    status_of,
)

LEASE_MS = 10_000
"""What runs at a gateway that has been silent for so long counts no more."""

_RENEWED_WITH_LEFT_MS = 6_500

AcquisitionResult = RateLimitStatus | QuotaRefused
"""The status of the limits after an acquisition, or its refusal."""


class Batch(Struct, frozen=True):
    """What came together at one gateway."""

    acquisitions: list[Acquisition]
    ends: list[QuotaReleased]
    turns: dict[str, int]
    """What runs there already, by account: the gateway knows it best, whatever is written."""
    streams: dict[str, int]
    number: int = 0
    """Counts the steps of that gateway."""


def settle(
    limit_state: LimitState, batch: Batch, gateway: str, clock: Clock
) -> tuple[LimitState, list[AcquisitionResult]]:
    """Give the next limit state, and the result of each acquisition, in their order."""
    limit_state = charged(current(limit_state, clock), batch.ends, clock.span)
    lease = Lease(_until(limit_state, gateway), batch.turns, batch.streams)
    limit_state = replace(
        limit_state,
        leases={**limit_state.leases, gateway: lease},
        steps={**limit_state.steps, gateway: WrittenStep(batch.number, limit_state.at)},
    )
    results: list[AcquisitionResult] = []
    for acquisition in batch.acquisitions:
        refused = rate_refusal(limit_state, acquisition, clock) or concurrency_refusal(
            limit_state, acquisition
        )
        if refused is None:
            limit_state = acquired(limit_state, acquisition, gateway, clock.span)
        status = status_of(limit_state, acquisition.accounts, clock)
        results.append(status if refused is None else replace(refused, status=status))
    return _without_idle(limit_state, gateway), results


def is_same(settled: LimitState, stored: LimitState, clock: Clock) -> bool:
    """Tell whether there is nothing to write down."""
    if is_ahead(stored, clock):
        return False
    return replace(settled, at=0, steps={}) == replace(current(stored, clock), at=0, steps={})


def _until(limit_state: LimitState, gateway: str) -> int:
    """Renew a lease when a third of it is over; more often would only cost writes."""
    lease = limit_state.leases.get(gateway)
    if lease is not None and lease.until - limit_state.at > _RENEWED_WITH_LEFT_MS:
        return lease.until
    return limit_state.at + LEASE_MS


def _without_idle(limit_state: LimitState, gateway: str) -> LimitState:
    lease = limit_state.leases[gateway]
    if lease.turns or lease.streams:
        return limit_state
    leases = {name: each for name, each in limit_state.leases.items() if name != gateway}
    return replace(limit_state, leases=leases)
