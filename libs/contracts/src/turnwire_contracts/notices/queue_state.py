"""What an orchestrator tells gateways, and other orchestrators, of turns that wait for a place."""

import msgspec


class LevelState(msgspec.Struct, frozen=True):
    """How the foreground turns of one level wait."""

    waiting: int = 0
    """In the stream, for any orchestrator."""
    held: int = 0
    """At this orchestrator."""
    oldest_s: float = 0.0
    """How long the oldest of these has waited."""
    starts_per_s: float = 0.0
    """How many begin at this orchestrator, smoothed over some seconds."""


class QueueState(msgspec.Struct, frozen=True):
    """Told twice a second while turns wait, and seldom else; a message may be lost."""

    orchestrator: str
    levels: list[LevelState]
    """By the level of their queue (`queues.py`)."""
    free: int = 0
    """Places of this orchestrator that no foreground turn has."""
    background_free: int = 0
    """Places of this orchestrator that no background turn has."""

    def encode(self) -> bytes:
        """Write it as JSON."""
        return msgspec.json.encode(self)

    @classmethod
    def decode(cls, body: bytes) -> "QueueState":
        """Read it; raises `msgspec.MsgspecError`."""
        return msgspec.json.decode(body, type=cls)
