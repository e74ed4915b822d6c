"""The limits of all tenants at one gateway."""

import asyncio
from collections.abc import Callable

from turnwire_contracts.ids import TenantId
from turnwire_contracts.notices.turn_ended import TurnEnded
from turnwire_gateway.errors import unavailable
from turnwire_gateway.limits.allowances import Allowances
from turnwire_gateway.limits.limit_state import (
    Acquisition,
    Clock,
    QuotaRefused,
    QuotaReleased,
    RateLimitStatus,
)
from turnwire_gateway.limits.limit_states import (
    LimitStates,
    LimitStatesUnavailableError,
    MemoryLimitStates,
)
from turnwire_gateway.limits.tenant_limiter import TenantLimiter

SPAN_MS = 60_000

_RENEW_AFTER_S = 2.5
"""Several times before a lease runs out."""


class Limiter:
    """Acquires and releases for callers, as far as their accounts have room."""

    def __init__(
        self,
        allowances: Allowances,
        limit_states: LimitStates,
        gateway: str,
        now_ms: Callable[[], int],
        *,
        span_ms: int = SPAN_MS,
    ) -> None:
        """`gateway` names this process; `span_ms` is what "per minute" means."""
        self.allowances = allowances
        self.limit_states = limit_states
        self._gateway = gateway
        self._clock = lambda: Clock(now_ms(), span_ms)
        self._tenant_limiters: dict[TenantId, TenantLimiter] = {}

    async def take(self, allowances: Allowances) -> None:
        """Allow this from now on; what was counted stays counted."""
        self.allowances = allowances

    def refusal(self, tenant: TenantId, acquisition: Acquisition) -> QuotaRefused | None:
        """Give the refusal of what certainly has no room; nothing is counted."""
        return self._tenant_limiter(tenant).refusal(acquisition)

    async def acquire(
        self, tenant: TenantId, acquisition: Acquisition
    ) -> RateLimitStatus | QuotaRefused:
        """Acquire, or give the refusal; raises `ApiError` (503) when the limit states are away."""
        tenant_limiter = self._tenant_limiter(tenant)
        if (refused := tenant_limiter.refusal(acquisition)) is not None:
            return refused
        try:
            return await tenant_limiter.acquire(acquisition)
        except LimitStatesUnavailableError as error:
            raise unavailable("rate_limiter_unavailable") from error

    def release(self, tenant: TenantId, acquisition: Acquisition) -> None:
        """Release what was acquired."""
        self._tenant_limiter(tenant).release(acquisition)

    def release_background(self, tenant: TenantId, response_id: str) -> None:
        """Release a background turn that was never requested."""
        self._tenant_limiter(tenant).end(QuotaReleased(response_id, (), 0))

    def turn_ended(self, notice: TurnEnded) -> None:
        """Charge what a turn cost, at whichever gateway it was acquired."""
        limited = [
            name
            for name in notice.accounts
            if self.allowances.account(notice.tenant, name).allowance.tokens_per_minute is not None
        ]
        self._tenant_limiter(notice.tenant).end(
            QuotaReleased(notice.response_id, tuple(limited), notice.tokens)
        )

    def forget(self) -> None:
        """Read everything again: the broker may have lost what it had."""
        for tenant_limiter in self._tenant_limiters.values():
            tenant_limiter.forget()

    async def keep(self) -> None:
        """Renew what needs it, again and again, until cancelled."""
        while True:
            await asyncio.sleep(_RENEW_AFTER_S)
            self.renew()

    def renew(self) -> None:
        """Renew leases, and try again what could not be written."""
        for tenant_limiter in self._tenant_limiters.values():
            tenant_limiter.keep()

    async def leave(self) -> None:
        """Write what is not written yet: this gateway ends."""
        await asyncio.gather(
            *(tenant_limiter.finish() for tenant_limiter in self._tenant_limiters.values())
        )

    def _tenant_limiter(self, tenant: TenantId) -> TenantLimiter:
        tenant_limiter = self._tenant_limiters.get(tenant)
        if tenant_limiter is None:
            tenant_limiter = TenantLimiter(tenant, self.limit_states, self._gateway, self._clock)
            self._tenant_limiters[tenant] = tenant_limiter
        return tenant_limiter


def unlimited() -> Limiter:
    """Give a limiter that refuses nothing."""
    return Limiter(Allowances(), MemoryLimitStates(), "", lambda: 0)
