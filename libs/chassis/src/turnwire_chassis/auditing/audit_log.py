"""The port to the audit log: acts that are noted before they are done, or not done at all."""

from collections.abc import AsyncIterator
from typing import Protocol

from turnwire_contracts.audit.acts import AnyAuditEvent
from turnwire_contracts.ids import TenantId


class AuditUnavailableError(Exception):
    """The log did not confirm that it has the act; it must not be done."""


class AuditLog(Protocol):
    """Who did what to whose data; entries are never changed or removed."""

    async def note(self, event: AnyAuditEvent) -> None:
        """Add an act; when this returns it is durable. Raises `AuditUnavailableError`."""
        ...

    def read(self, tenant: TenantId | None, since_ms: int) -> AsyncIterator[AnyAuditEvent]:
        """Give the acts in one tenant or all, from a Unix time in milliseconds on, oldest first.

        Raises `AuditUnavailableError`, `UnreadableEventError`.
        """
        ...
