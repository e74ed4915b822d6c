"""The port to the keys of all tenants' views, and its double in memory."""

from typing import Protocol

from turnwire_contracts.ids import TenantId
from turnwire_store.sealing.view_key import ViewKey


class ViewKeys(Protocol):
    """One key a tenant. Every method raises `ViewsUnavailableError`."""

    async def making(self, tenant: TenantId) -> ViewKey:
        """Give a tenant's key to seal with; one that has none gets one."""
        ...

    async def find(self, tenant: TenantId) -> ViewKey | None:
        """Give a tenant's key to open with, if it has one."""
        ...

    async def destroy(self, tenant: TenantId) -> None:
        """Overwrite a tenant's key: what it sealed never opens again. Twice is fine."""
        ...


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
