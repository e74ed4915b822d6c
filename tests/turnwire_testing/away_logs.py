"""Event logs in memory that cannot be reached."""

from turnwire_chassis.event_log import LogUnavailableError, Recorded
from turnwire_contracts.ids import ResponseId, TenantId
from turnwire_testing.memory_event_log import Event
from turnwire_testing.stores import ReadableLog


class UnwritableLog(ReadableLog):
    """A log that takes no event."""

    async def append(self, event: Event, expected: int | None) -> int:
        """Raise `LogUnavailableError`."""
        del event, expected
        raise LogUnavailableError("away")


class AwayLog(UnwritableLog):
    """A log that takes no event, and of which no turn can be read."""

    async def read(
        self, tenant: TenantId, response_id: ResponseId, after: int = 0
    ) -> list[Recorded]:
        """Raise `LogUnavailableError`."""
        del tenant, response_id, after
        raise LogUnavailableError("away")
