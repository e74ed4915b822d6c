"""The limit states in the broker: the key-value bucket `LIMITS`, written by compare and set."""

import asyncio

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError
from nats.js.api import RawStreamMsg
from nats.js.errors import APIError, NotFoundError, ServiceUnavailableError

from turnwire_chassis.broker import is_clustered
from turnwire_chassis.jetstream.publishing import publish_when_led
from turnwire_contracts import subjects
from turnwire_contracts.ids import TenantId
from turnwire_gateway.limits.limit_state import LimitState
from turnwire_gateway.limits.limit_states import (
    LimitStatesUnavailableError,
    MovedError,
    StoredLimitState,
)

_WRONG_LAST_SEQUENCE = frozenset({10071, 10164})
_ANSWER_WITHIN_S = 2.0
_AGAIN_S = 0.1
_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(LimitState)


class BucketLimitStates:
    """`LimitStates` in JetStream.

    While the bucket has no leader, which is seldom longer than nine seconds, a call waits.
    """

    def __init__(self, client: Client) -> None:
        """`client`: a connection on which the streams are declared."""
        self._client = client
        self._jetstream = client.jetstream(timeout=_ANSWER_WITHIN_S)

    async def read(self, tenant: TenantId) -> StoredLimitState:
        """See `LimitStates.read`."""
        try:
            message = await self._newest(tenant)
        except NotFoundError:
            return StoredLimitState(LimitState(), 0)
        except NatsError as error:
            raise LimitStatesUnavailableError(tenant) from error
        try:
            return StoredLimitState(_DECODER.decode(message.data or b"{}"), message.seq or 0)
        except msgspec.MsgspecError:
            # Another release wrote it: what it counted is over within a minute.
            return StoredLimitState(LimitState(), message.seq or 0)

    async def write(self, tenant: TenantId, limit_state: LimitState, revision: int) -> int:
        """See `LimitStates.write`."""
        while True:
            try:
                return await self._put(tenant, limit_state, revision)
            except TimeoutError:
                kept = await self.read(tenant)
                if kept.limit_state == limit_state:
                    return kept.revision
                if kept.revision != revision:
                    raise MovedError(tenant) from None

    async def _put(self, tenant: TenantId, limit_state: LimitState, revision: int) -> int:
        """Raises `TimeoutError` when it is not known whether it was written."""
        expected = {"Nats-Expected-Last-Subject-Sequence": str(revision)}
        body = _ENCODER.encode(limit_state)
        try:
            return await publish_when_led(self._jetstream, subjects.limits(tenant), body, expected)
        except APIError as error:
            if error.err_code in _WRONG_LAST_SEQUENCE:
                raise MovedError(tenant) from error
            raise LimitStatesUnavailableError(tenant) from error
        except TimeoutError:
            raise
        except NatsError as error:
            raise LimitStatesUnavailableError(tenant) from error

    async def _newest(self, tenant: TenantId) -> RawStreamMsg:
        subject = subjects.limits(tenant)
        # Any node answers a direct get, also one that is behind.
        direct = not is_clustered(self._client)
        while True:
            try:
                return await self._jetstream.get_last_msg(
                    subjects.LIMITS_STREAM, subject, direct=direct
                )
            except (NoRespondersError, ServiceUnavailableError, TimeoutError):
                await asyncio.sleep(_AGAIN_S)
