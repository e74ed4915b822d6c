"""Who is let in: the limits of all tenants at one gateway."""

import asyncio
from collections.abc import Callable

from turnwire_contracts.ids import TenantId
from turnwire_contracts.notices.turn_ended import TurnEnded
from turnwire_gateway.answers.errors import unavailable
from turnwire_gateway.identity import Caller
from turnwire_gateway.limiting.allowances import Account, Allowances
from turnwire_gateway.limiting.counting.desk import Desk
from turnwire_gateway.limiting.counting.ledger import Clock, Ended, Refused, Standing, Want
from turnwire_gateway.limiting.counting.ledgers import (
    Ledgers,
    LedgersUnavailableError,
    MemoryLedgers,
)

SPAN_MS = 60_000

_RENEW_AFTER_S = 2.5
"""Several times before a lease runs out."""


class Limiter:
    """Lets callers in as far as their accounts have room."""

    def __init__(
        self,
        allowances: Allowances,
        ledgers: Ledgers,
        gateway: str,
        now_ms: Callable[[], int],
        *,
        span_ms: int = SPAN_MS,
    ) -> None:
        """`gateway` names this process; `span_ms` is what "per minute" means."""
        self._allowances = allowances
        self.ledgers = ledgers
        self._gateway = gateway
        self._clock = lambda: Clock(now_ms(), span_ms)
        self._desks: dict[TenantId, Desk] = {}

    def accounts(self, caller: Caller) -> tuple[Account, ...]:
        """Give what a caller counts for."""
        return self._allowances.accounts(caller)

    def refuse(self, tenant: TenantId, want: Want) -> Refused | None:
        """Refuse what cannot be let in, at no cost; nothing is counted."""
        return self._desk(tenant).refusal(want)

    async def take(self, tenant: TenantId, want: Want) -> Standing | Refused:
        """Let somebody in, or not; raises `ApiError` (503) when the ledgers are away."""
        desk = self._desk(tenant)
        if (refused := desk.refusal(want)) is not None:
            return refused
        try:
            return await desk.take(want)
        except LedgersUnavailableError as error:
            raise unavailable("rate limiter") from error

    def give_back(self, tenant: TenantId, want: Want) -> None:
        """Set free what somebody was let in with."""
        self._desk(tenant).give_back(want)

    def unhold(self, tenant: TenantId, response_id: str) -> None:
        """Set free a background turn that never came to be."""
        self._desk(tenant).end(Ended(response_id, (), 0))

    def turn_ended(self, told: TurnEnded) -> None:
        """Charge what a turn cost, wherever it was let in."""
        limited = [
            name
            for name in told.accounts
            if self._allowances.account(told.tenant, name).allowance.tokens_per_minute is not None
        ]
        self._desk(told.tenant).end(Ended(told.response_id, tuple(limited), told.tokens))

    def forget(self) -> None:
        """Trust nothing that was read: the broker may have lost its memory."""
        for desk in self._desks.values():
            desk.forget()

    async def keep(self) -> None:
        """Renew what needs it, again and again, until cancelled."""
        while True:
            await asyncio.sleep(_RENEW_AFTER_S)
            self.renew()

    def renew(self) -> None:
        """Renew leases, and try again what could not be written."""
        for desk in self._desks.values():
            desk.keep()

    async def leave(self) -> None:
        """Write down what nobody has written yet: this gateway ends."""
        await asyncio.gather(*(desk.finish() for desk in self._desks.values()))

    def _desk(self, tenant: TenantId) -> Desk:
        desk = self._desks.get(tenant)
        if desk is None:
            desk = Desk(tenant, self.ledgers, self._gateway, self._clock)
            self._desks[tenant] = desk
        return desk


def unlimited() -> Limiter:
    """Give one that lets everybody in."""
    return Limiter(Allowances(), MemoryLedgers(), "", lambda: 0)
