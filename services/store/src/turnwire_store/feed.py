"""The port to the log as the projection reads it: all turns together, in the order of the log."""

from collections.abc import Collection, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

from msgspec import Struct

from turnwire_contracts.administration.dead_letters import DeadLetter


class FeedLostError(Exception):
    """The feed has a gap or is silent; open it again after the last entry that was used."""


class FeedEntry(Struct, frozen=True):
    """One message of the log as it came."""

    subject: str
    body: bytes
    sequence: int


MOST_IN_A_BATCH: Final = 400
"""No feed gives more entries at once."""


class EventFeed(Protocol):
    """The entries after a start, each once, without gaps."""

    @property
    def behind(self) -> int:
        """How many entries of the log come after the last one given."""
        ...

    async def next_batch(self) -> list[FeedEntry]:
        """Wait for entries; what comes close together is given together.

        Raises `FeedLostError`.
        """
        ...


class Feeds(Protocol):
    """The log, to read from and to note in what cannot be read."""

    async def end(self) -> int:
        """Tell the sequence of the last entry of the log. Raises `FeedLostError`."""
        ...

    def open(self, generation: int, start: int) -> AbstractAsyncContextManager[EventFeed]:
        """Give the entries from `start` on; waits while another process reads for `generation`.

        Raises `FeedLostError`.
        """
        ...

    async def unerased(self, purges: Mapping[str, int]) -> Collection[str]:
        """Tell of what the log may have more entries than its purge.

        `purges`: by the pattern of all subjects of a turn or conversation, the sequence of the
        entry that told of its purge. Raises `FeedLostError`.
        """
        ...

    async def keep_dead_letter(self, letter: DeadLetter) -> None:
        """Keep a dead letter; the same one twice is kept once. Raises `FeedLostError`."""
        ...
