"""Values inside events: where a turn left the course of another, how a model was asked."""

from msgspec import Struct

from turnwire_contracts.ids import ResponseId


class ForkPoint(Struct, frozen=True, omit_defaults=True):
    """Where a turn left the course of another one."""

    response_id: ResponseId
    at: int
    """The sequence, in the log, of the last event of the other turn that it continues."""
    rounds: int = 0
    """How many items at the end of `input` are rounds of tools of the other turn that go on here:
    their calls are not made again, and count as calls of this turn."""


class SampleRecord(Struct, frozen=True, omit_defaults=True):
    """How a model was asked: by which words, by whom, and when what came of it."""

    version: str
    """Of the orchestrator that wrote the prompt."""
    api: str
    """`responses` or `chat`: what the prompt was written for."""
    dialect: str
    """Which inference server it was written for, as far as that changes it."""
    prompt: str
    """The digest of the request's body: BLAKE2b, 16 bytes, in hexadecimal digits."""
    asked_at: int
    """Unix time in milliseconds, as `first_at` and `taken_at`."""
    first_at: int | None = None
    """When the first event of the answer came; `None`: none did."""
    taken_at: int | None = None
    """When the owner that asked took the turn."""
    history_ms: int | None = None
    """How long that owner read what the turn stands on."""
