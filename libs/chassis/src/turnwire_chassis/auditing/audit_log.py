"""The port to the audit log: acts that are noted before they are done, or not done at all."""

from collections.abc import AsyncIterator
from typing import Protocol

from turnwire_contracts.audit.acts import AnyAuditEvent
from turnwire_contracts.ids import TenantId


class AuditUnavailableError(Exception):
    """The act was not noted for certain; it must not be done."""


class AuditLog(Protocol):
    """What was done to whom by whom; nothing in it can be taken back."""

    async def note(self, event: AnyAuditEvent) -> None:
        """Add an act; when this returns it is durable. Raises `AuditUnavailableError`."""
        ...

    def told(self, tenant: TenantId | None, since_ms: int) -> AsyncIterator[AnyAuditEvent]:
        """Give the acts in one tenant or all, from a Unix time in milliseconds on, oldest first.

        Raises `AuditUnavailableError`, `UnreadableEventError`.
        """
        ...
