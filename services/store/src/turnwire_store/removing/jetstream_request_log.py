"""The requests of all tenants, on JetStream."""

from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg

from turnwire_chassis.jetstream.event_log import page
from turnwire_contracts import codec, subjects
from turnwire_contracts.codec import UnreadableEventError
from turnwire_contracts.events import Requested
from turnwire_store.removing.expiry import Asked, Lane

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

    async def requests(self, lane: Lane, after: int) -> list[Asked]:
        """See `RequestLog.requests`."""
        subject = _SUBJECTS[lane]
        found = await page(self._client, subjects.TURNS_STREAM, subject, after, _ON_A_PAGE)
        return list(map(_asked, found))


def _asked(message: Msg) -> Asked:
    headers = message.headers or {}
    _, _, kind = subjects.parse_turn_event(headers["Nats-Subject"])
    try:
        event = codec.decode(kind, message.data)
    except UnreadableEventError:
        event = None
    return Asked(int(headers["Nats-Sequence"]), event if isinstance(event, Requested) else None)
