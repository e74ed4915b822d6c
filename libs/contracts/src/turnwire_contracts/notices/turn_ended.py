"""What is told of a turn's end to those who count: one message, to one gateway of all."""

import msgspec

from turnwire_contracts.ids import ResponseId, TenantId


class TurnEnded(msgspec.Struct, frozen=True):
    """A turn has ended; the message may be lost, and then its tokens are not charged."""

    tenant: TenantId
    response_id: ResponseId
    accounts: list[str]
    """`Requested.metered`."""
    tokens: int
    """What it cost: input and output, all samples together."""

    def encode(self) -> bytes:
        """Write it as JSON."""
        return msgspec.json.encode(self)

    @classmethod
    def decode(cls, body: bytes) -> "TurnEnded":
        """Read it; raises `msgspec.MsgspecError`."""
        return msgspec.json.decode(body, type=cls)
