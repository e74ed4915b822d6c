"""The port to where ledgers are kept, for all gateways together; and one in memory."""

from typing import Protocol

from msgspec import Struct

from turnwire_contracts.ids import TenantId
from turnwire_gateway.limiting.counting.ledger import Ledger


class MovedError(Exception):
    """Another gateway has written the ledger since it was read."""


class LedgersUnavailableError(Exception):
    """The ledger was not read, or it is not known whether it was written."""


class Kept(Struct, frozen=True):
    """A ledger as it was read or written."""

    ledger: Ledger
    revision: int
    """What the next writer must name; 0: nothing is kept."""


class Ledgers(Protocol):
    """One ledger for each tenant."""

    async def read(self, tenant: TenantId) -> Kept:
        """Give the newest; raises `LedgersUnavailableError`."""
        ...

    async def write(self, tenant: TenantId, ledger: Ledger, revision: int) -> int:
        """Put `ledger` in the place of that `revision`, and give the new one.

        Raises `MovedError`, `LedgersUnavailableError`.
        """
        ...


class MemoryLedgers:
    """`Ledgers` that end with the process."""

    def __init__(self) -> None:
        """Keep none yet."""
        self._kept: dict[TenantId, Kept] = {}

    async def read(self, tenant: TenantId) -> Kept:
        """See `Ledgers.read`."""
        return self._newest(tenant)

    async def write(self, tenant: TenantId, ledger: Ledger, revision: int) -> int:
        """See `Ledgers.write`."""
        if self._newest(tenant).revision != revision:
            raise MovedError(tenant)
        self._kept[tenant] = Kept(ledger, revision + 1)
        return revision + 1

    def _newest(self, tenant: TenantId) -> Kept:
        return self._kept.get(tenant, Kept(Ledger(), 0))
