"""The whole log in memory, with its feed: the double that tests of the projection use."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from itertools import repeat

from turnwire_chassis.event_log import Recorded, RecordedConversation
from turnwire_chassis.memory.event_log import MemoryEventLog
from turnwire_contracts import codec
from turnwire_contracts.conversation_events import (
    AnyConversationEvent,
    ConversationEvent,
    conversation_subject_of,
)
from turnwire_contracts.events import AnyEvent, subject_of
from turnwire_store.feeding.feed import DeadLetter, Entry


class MemoryFeeds(MemoryEventLog):
    """`Feeds` of what is appended to this `EventLog`."""

    def __init__(self, sizes: Iterator[int] | None = None) -> None:
        """Give batches of `sizes`; each as large as it can be without them."""
        super().__init__()
        self.entries: list[Entry] = []
        self.buried: list[DeadLetter] = []
        self.sizes = sizes or repeat(1_000_000)
        self.more = asyncio.Event()
        self.last = 0

    async def append(self, event: AnyEvent | AnyConversationEvent, expected: int | None) -> int:
        """See `EventLog.append`."""
        sequence = await super().append(event, expected)
        if isinstance(event, ConversationEvent):
            subject = conversation_subject_of(event)
        else:
            subject = subject_of(event)
        self.entries.append(Entry(subject, codec.encode(event), sequence))
        self.last = max(self.last, sequence)
        self.more.set()
        return sequence

    def skip(self, count: int) -> None:
        """Leave out sequences, as if what stood there was erased."""
        self._sequence += count

    async def erase(self, recorded: Recorded | RecordedConversation) -> None:
        """See `EventLog.erase`."""
        await super().erase(recorded)
        self.entries = [one for one in self.entries if one.sequence != recorded.sequence]

    async def end(self) -> int:
        """See `Feeds.end`."""
        return self.last

    @asynccontextmanager
    async def open(self, generation: int, start: int) -> AsyncGenerator["MemoryFeed"]:
        """See `Feeds.open`."""
        del generation
        yield MemoryFeed(self, start)

    async def bury(self, letter: DeadLetter) -> None:
        """See `Feeds.bury`."""
        if letter not in self.buried:
            self.buried.append(letter)


class MemoryFeed:
    """`Feed` of a log that may grow."""

    def __init__(self, log: MemoryFeeds, start: int) -> None:
        """Begin with the entry whose sequence is `start`, or the first after it."""
        self._log = log
        self._next = start

    @property
    def behind(self) -> int:
        """See `Feed.behind`."""
        return sum(entry.sequence >= self._next for entry in self._log.entries)

    async def next_batch(self) -> list[Entry]:
        """See `Feed.next_batch`."""
        while self.behind == 0:
            self._log.more.clear()
            await self._log.more.wait()
        ahead = [entry for entry in self._log.entries if entry.sequence >= self._next]
        batch = ahead[: next(self._log.sizes)]
        self._next = batch[-1].sequence + 1
        return batch
