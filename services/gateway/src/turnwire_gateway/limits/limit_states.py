"""The port to where limit states are kept, for all gateways together; and one in memory."""

from typing import Protocol

from msgspec import Struct

from turnwire_contracts.ids import TenantId
from turnwire_gateway.limits.limit_state import LimitState


class MovedError(Exception):
    """Another gateway has written the limit state since it was read."""


class LimitStatesUnavailableError(Exception):
    """The limit state was not read, or it is not known whether it was written."""


class StoredLimitState(Struct, frozen=True):
    """A limit state as it was read or written."""

    limit_state: LimitState
    revision: int
    """What the next writer must name; 0: nothing is kept."""


class LimitStates(Protocol):
    """One limit state for each tenant."""

    async def read(self, tenant: TenantId) -> StoredLimitState:
        """Give the newest; raises `LimitStatesUnavailableError`."""
        ...

    async def write(self, tenant: TenantId, limit_state: LimitState, revision: int) -> int:
        """Put `limit_state` in the place of that `revision`, and give the new one.

        Raises `MovedError`, `LimitStatesUnavailableError`.
        """
        ...


class MemoryLimitStates:
    """`LimitStates` that end with the process."""

    def __init__(self) -> None:
        self._kept: dict[TenantId, StoredLimitState] = {}

    async def read(self, tenant: TenantId) -> StoredLimitState:
        """See `LimitStates.read`."""
        return self._newest(tenant)

    async def write(self, tenant: TenantId, limit_state: LimitState, revision: int) -> int:
        """See `LimitStates.write`."""
        if self._newest(tenant).revision != revision:
            raise MovedError(tenant)
        self._kept[tenant] = StoredLimitState(limit_state, revision + 1)
        return revision + 1

    def _newest(self, tenant: TenantId) -> StoredLimitState:
        return self._kept.get(tenant, StoredLimitState(LimitState(), 0))
