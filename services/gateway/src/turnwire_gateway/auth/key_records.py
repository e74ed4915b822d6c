"""API keys as the routes of administration change them: read from the bucket, kept by the store."""

from typing import Final

import msgspec
from msgspec import Raw
from nats.aio.client import Client

from turnwire_chassis.api_keys.bucket import KeyBucket, KeyEntry
from turnwire_chassis.api_keys.record import KeyRecord
from turnwire_chassis.event_log import LogUnavailableError
from turnwire_chassis.request_reply.asking import UnansweredQueryError, ask
from turnwire_contracts.administration.admin_queries import STORE_KEYS, ApiKeyKept, PutApiKey

_TIMEOUT_S: Final = 10.0


class StoreKeyRecords:
    """`KeyRecords` of a gateway, which may not write to the bucket."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def read(self, after: int = 0) -> list[KeyEntry]:
        """See `KeyRecords.read`."""
        return await KeyBucket(self._client).read(after)

    async def put(self, record: KeyRecord, expected: int) -> None:
        """See `KeyRecords.put`."""
        change = PutApiKey(Raw(msgspec.json.encode(record)), expected)
        try:
            answer = await ask(self._client, STORE_KEYS, change, _TIMEOUT_S)
        except UnansweredQueryError as error:
            raise LogUnavailableError("the store does not answer") from error
        if not isinstance(answer, ApiKeyKept):
            raise LogUnavailableError(answer.failure.message)
