"""The requests of all tenants, on JetStream."""

from typing import Final

from nats.aio.client import Client

from turnwire_chassis.jetstream.event_log import page
from turnwire_contracts import subjects
from turnwire_store.removing.erasure import TurnEntry
from turnwire_store.removing.expiry import Lane
from turnwire_store.removing.jetstream_tenant_log import turn_entry

_ON_A_PAGE: Final = 100

_SUBJECTS: Final[dict[Lane, str]] = {
    "foreground": subjects.TURN_REQUESTED,
    "background": subjects.TURN_REQUESTED_BACKGROUND,
}


class JetStreamRequestLog:
    """`RequestLog` on the stream `TURNS`."""

    def __init__(self, client: Client) -> None:
        """Use a connection whose streams are declared."""
        self._client = client

    async def requests(self, lane: Lane, after: int) -> list[TurnEntry]:
        """See `RequestLog.requests`."""
        subject = _SUBJECTS[lane]
        found = await page(self._client, subjects.TURNS_STREAM, subject, after, _ON_A_PAGE)
        return list(map(turn_entry, found))
