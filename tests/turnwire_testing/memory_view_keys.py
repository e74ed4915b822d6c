"""Keys of views in memory: the double that tests use."""

from turnwire_contracts.ids import TenantId
from turnwire_store.sealing import ViewKey


class MemoryViewKeys:
    """`ViewKeys` inside one process."""

    def __init__(self) -> None:
        """Start without any."""
        self._keys: dict[TenantId, ViewKey] = {}

    async def making(self, tenant: TenantId) -> ViewKey:
        """See `ViewKeys.making`."""
        return self._keys.setdefault(tenant, ViewKey.new())

    async def find(self, tenant: TenantId) -> ViewKey | None:
        """See `ViewKeys.find`."""
        return self._keys.get(tenant)

    async def destroy(self, tenant: TenantId) -> None:
        """See `ViewKeys.destroy`."""
        self._keys.pop(tenant, None)
