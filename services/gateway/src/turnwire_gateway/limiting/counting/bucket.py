"""The ledgers in the broker: the key-value bucket `LIMITS`, written by compare and set."""

import msgspec
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import APIError, NotFoundError

from turnwire_contracts import subjects
from turnwire_contracts.ids import TenantId
from turnwire_gateway.limiting.counting.ledger import Ledger
from turnwire_gateway.limiting.counting.ledgers import Kept, LedgersUnavailableError, MovedError

_WRONG_LAST_SEQUENCE = 10071
_TIMEOUT_S = 2.0
_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Ledger)


class BucketLedgers:
    """`Ledgers` in JetStream."""

    def __init__(self, jetstream: JetStreamContext) -> None:
        """Use a connection whose streams are declared."""
        self._jetstream = jetstream

    async def read(self, tenant: TenantId) -> Kept:
        """See `Ledgers.read`."""
        try:
            message = await self._jetstream.get_last_msg(
                subjects.LIMITS_STREAM, subjects.limits(tenant), direct=True
            )
        except NotFoundError:
            return Kept(Ledger(), 0)
        except (NatsError, TimeoutError) as error:
            raise LedgersUnavailableError(tenant) from error
        try:
            return Kept(_DECODER.decode(message.data or b"{}"), message.seq or 0)
        except msgspec.MsgspecError:
            # Another release wrote it: what it counted is over within a minute.
            return Kept(Ledger(), message.seq or 0)

    async def write(self, tenant: TenantId, ledger: Ledger, revision: int) -> int:
        """See `Ledgers.write`."""
        expected = {"Nats-Expected-Last-Subject-Sequence": str(revision)}
        try:
            ack = await self._jetstream.publish(
                subjects.limits(tenant),
                _ENCODER.encode(ledger),
                timeout=_TIMEOUT_S,
                headers=expected,
            )
        except APIError as error:
            if error.err_code == _WRONG_LAST_SEQUENCE:
                raise MovedError(tenant) from error
            raise LedgersUnavailableError(tenant) from error
        except (NatsError, TimeoutError) as error:
            raise LedgersUnavailableError(tenant) from error
        return ack.seq
