"""When what was appended to the log, as the broker says it."""

from nats.aio.client import Client

from turnwire_chassis.jetstream.reading import first_since
from turnwire_contracts import subjects


class JetStreamLogTimes:
    """`LogTimes` on the stream `TURNS`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def first_since(self, milliseconds: int) -> int:
        """See `LogTimes.first_since`."""
        return await first_since(self._client, subjects.TURNS_STREAM, milliseconds)
