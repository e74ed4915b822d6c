"""The audit log in memory: the double that tests use."""

from collections.abc import AsyncIterator

from turnwire_chassis.auditing.audit_log import AuditUnavailableError
from turnwire_contracts.audit.acts import AnyAuditEvent
from turnwire_contracts.ids import TenantId


class MemoryAuditLog:
    """`AuditLog` inside one process, which can be made to refuse."""

    def __init__(self) -> None:
        self.events: list[AnyAuditEvent] = []
        self.refuses = False

    async def note(self, event: AnyAuditEvent) -> None:
        """See `AuditLog.note`."""
        if self.refuses:
            raise AuditUnavailableError("told to refuse")
        self.events.append(event)

    async def read(self, tenant: TenantId | None, since_ms: int) -> AsyncIterator[AnyAuditEvent]:
        """See `AuditLog.read`."""
        for event in self.events:
            if tenant in (None, event.tenant) and event.at >= since_ms:
                yield event
