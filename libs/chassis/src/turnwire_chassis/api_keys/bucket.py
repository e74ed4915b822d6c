"""The keys on the broker: the KV bucket `API_KEYS`, one message a key, the newest one counts."""

from typing import Final

import msgspec
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from turnwire_chassis.api_keys.key_text import KeyId
from turnwire_chassis.api_keys.record import KeyRecord
from turnwire_chassis.event_log import LogUnavailableError
from turnwire_chassis.jetstream.publishing import publish_when_led
from turnwire_chassis.jetstream.reading import read_batch
from turnwire_contracts import subjects

log = structlog.get_logger()

_TIMEOUT_S: Final = 5.0
_EXPECTED = "Nats-Expected-Last-Subject-Sequence"


class KeyEntry(msgspec.Struct, frozen=True):
    """One key in its place; `record` is `None` where it cannot be read or was removed by hand."""

    sequence: int
    key_id: KeyId
    record: KeyRecord | None


class KeyBucket:
    """The bucket `API_KEYS` on one connection. Everything raises `LogUnavailableError`."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._jetstream = client.jetstream(timeout=_TIMEOUT_S)

    async def last_sequence(self) -> int:
        """Give the place of the newest entry, 0 for none."""
        try:
            info = await self._jetstream.stream_info(subjects.API_KEYS_STREAM)
        except (NatsError, TimeoutError) as error:
            raise LogUnavailableError(str(error)) from error
        return info.state.last_seq

    async def read(self, after: int = 0) -> list[KeyEntry]:
        """Give every key that was made or changed behind the sequence `after`, oldest first."""
        messages = await read_batch(
            self._client, subjects.API_KEYS_STREAM, subjects.API_KEYS, after
        )
        return [_entry(message) for message in messages]

    async def newest(self, key_id: KeyId) -> KeyRecord | None:
        """Give one key as it is now; `None` if there is none, or it cannot be read.

        Any node of the broker answers; one that is behind knows a change a moment later.
        """
        try:
            message = await self._jetstream.get_last_msg(
                subjects.API_KEYS_STREAM, subjects.api_key(key_id), direct=True
            )
        except NotFoundError:
            return None
        except (NatsError, TimeoutError) as error:
            raise LogUnavailableError(str(error)) from error
        return _record(key_id, message.data or b"")

    async def put(self, record: KeyRecord, expected: int) -> None:
        """Write a key whose last sequence is `expected`, 0 for a new one."""
        try:
            await publish_when_led(
                self._jetstream,
                subjects.api_key(record.id),
                msgspec.json.encode(record),
                {_EXPECTED: str(expected)},
            )
        except (NatsError, TimeoutError) as error:
            raise LogUnavailableError(str(error)) from error


def _entry(message: Msg) -> KeyEntry:
    headers = message.headers or {}
    key_id = KeyId(headers["Nats-Subject"].removeprefix(subjects.api_key("")))
    return KeyEntry(int(headers["Nats-Sequence"]), key_id, _record(key_id, message.data))


def _record(key_id: KeyId, body: bytes) -> KeyRecord | None:
    try:
        return msgspec.json.decode(body, type=KeyRecord) if body else None
    except msgspec.MsgspecError as error:
        log.warning("API key not readable", key_id=key_id, error=str(error))
        return None
