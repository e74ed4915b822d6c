"""The console's sessions in the broker: the key-value bucket `CONSOLE_SESSIONS`."""

from typing import Final

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from turnwire_chassis.broker import is_clustered
from turnwire_chassis.jetstream.publishing import publish_when_led
from turnwire_contracts import subjects
from turnwire_gateway.errors import unavailable

_ANSWER_WITHIN_S: Final = 2.0
_CODE: Final = "event_log_unavailable"


class BucketSessions:
    """`SessionRecords` in JetStream, so that every gateway knows a session at once."""

    def __init__(self, client: Client) -> None:
        """`client`: a connection on which the streams are declared."""
        self._client = client
        self._jetstream = client.jetstream(timeout=_ANSWER_WITHIN_S)

    async def read(self, session_id: str) -> bytes:
        """See `SessionRecords.read`."""
        # Any node answers a direct get, also one that has not yet heard of a sign-out.
        direct = not is_clustered(self._client)
        try:
            kept = await self._jetstream.get_last_msg(
                subjects.CONSOLE_SESSIONS_STREAM,
                subjects.console_session(session_id),
                direct=direct,
            )
        except NotFoundError:
            return b""
        except (NatsError, TimeoutError) as error:
            raise unavailable(_CODE) from error
        return kept.data or b""

    async def put(self, session_id: str, sealed: bytes) -> None:
        """See `SessionRecords.put`."""
        subject = subjects.console_session(session_id)
        try:
            await publish_when_led(self._jetstream, subject, sealed, {})
        except (NatsError, TimeoutError) as error:
            raise unavailable(_CODE) from error
