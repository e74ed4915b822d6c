"""What is kept of a prompt that was sent: enough to tell whether another one is the same. Pure."""

from hashlib import blake2b
from importlib.metadata import version
from typing import Final

from turnwire_contracts.events import SampleRecord
from turnwire_orchestrator.ports import SentPrompt

VERSION: Final = version("turnwire-orchestrator")

_DIGEST_BYTES: Final = 16


def recorded_sample(sent: SentPrompt | None, asked_at: int) -> SampleRecord | None:
    """Say how a model was asked; `asked_at`: Unix time in milliseconds."""
    if sent is None:
        return None
    return SampleRecord(VERSION, sent.api, sent.dialect, digest(sent.body), asked_at)


def digest(body: bytes) -> str:
    """Give the digest of a request's body."""
    return blake2b(body, digest_size=_DIGEST_BYTES).hexdigest()
