"""The port to the log as the projection reads it: all turns together, in the order of the log."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from msgspec import Struct

from turnwire_contracts.ids import ConversationId, ResponseId


class FeedLostError(Exception):
    """The feed has a gap or is silent; open it again after the last entry that was used."""


class Entry(Struct, frozen=True):
    """One message of the log as it came."""

    subject: str
    body: bytes
    sequence: int


class DeadLetter(Struct, frozen=True):
    """Why an entry has no effect on the views; the entry itself stays in the log."""

    subject: str
    sequence: int
    reason: str
    about: ResponseId | ConversationId


class Feed(Protocol):
    """The entries after a start, each once, without gaps."""

    @property
    def behind(self) -> int:
        """How many entries of the log come after the last one given."""
        ...

    async def next_batch(self) -> list[Entry]:
        """Wait for entries; what comes close together is given together.

        Raises `FeedLostError`.
        """
        ...


class Feeds(Protocol):
    """The log, to read from and to note in what cannot be read."""

    async def end(self) -> int:
        """Tell the sequence of the last entry of the log. Raises `FeedLostError`."""
        ...

    def open(self, generation: int, start: int) -> AbstractAsyncContextManager[Feed]:
        """Give the entries from `start` on; waits while another process reads for `generation`.

        Raises `FeedLostError`.
        """
        ...

    async def bury(self, letter: DeadLetter) -> None:
        """Keep a dead letter; the same one twice is kept once. Raises `FeedLostError`."""
        ...
