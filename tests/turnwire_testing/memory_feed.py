"""The whole log in memory, with its feed: the double that tests of the projection use."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterator, Mapping
from contextlib import asynccontextmanager
from itertools import repeat

from turnwire_chassis.event_log import Recorded, RecordedConversation
from turnwire_contracts import codec
from turnwire_contracts.administration.dead_letters import DeadLetter
from turnwire_contracts.conversation_events import AnyConversationEvent
from turnwire_contracts.event_kinds import subject_of
from turnwire_contracts.events import AnyEvent
from turnwire_store.feed import MOST_IN_A_BATCH, FeedEntry
from turnwire_testing.memory_event_log import MemoryEventLog


class MemoryFeeds(MemoryEventLog):
    """`Feeds` of what is appended to this `EventLog`."""

    def __init__(self, sizes: Iterator[int] | None = None) -> None:
        """Give batches of `sizes`; each as large as it can be without them."""
        super().__init__()
        self.entries: list[FeedEntry] = []
        self.dead_letters: list[DeadLetter] = []
        self.sizes = sizes or repeat(1_000_000)
        self.more = asyncio.Event()
        self.last = 0

    async def append(self, event: AnyEvent | AnyConversationEvent, expected: int | None) -> int:
        """See `EventLog.append`."""
        sequence = await super().append(event, expected)
        self.entries.append(FeedEntry(subject_of(event), codec.encode(event), sequence))
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

    async def first_since(self, milliseconds: int) -> int:
        """See `LogTimes.first_since`; entries came when they say that they happened."""
        events = [(one.sequence, codec.read_event(one.subject, one.body)) for one in self.entries]
        return next((sequence for sequence, event in events if event.at >= milliseconds), 2**62)

    async def unerased(self, purges: Mapping[str, int]) -> Collection[str]:
        """See `Feeds.unerased`."""
        left: set[str] = set()
        for pattern, sequence in purges.items():
            _, tenant, about, _ = pattern.split(".")
            if [one.sequence for one in self._kept[tenant, about]] != [sequence]:
                left.add(pattern)
        return left

    @asynccontextmanager
    async def open(self, generation: int, start: int) -> AsyncGenerator["MemoryFeed"]:
        """See `Feeds.open`."""
        del generation
        yield MemoryFeed(self, start)

    async def keep_dead_letter(self, letter: DeadLetter) -> None:
        """See `Feeds.keep_dead_letter`."""
        if letter not in self.dead_letters:
            self.dead_letters.append(letter)


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

    async def next_batch(self) -> list[FeedEntry]:
        """See `Feed.next_batch`."""
        while self.behind == 0:
            self._log.more.clear()
            await self._log.more.wait()
        ahead = [entry for entry in self._log.entries if entry.sequence >= self._next]
        batch = ahead[: min(next(self._log.sizes), MOST_IN_A_BATCH)]
        self._next = batch[-1].sequence + 1
        return batch


class MemoryWholeLog:
    """`WholeLog` of what is appended, in pages of three entries."""

    def __init__(self, feeds: MemoryFeeds) -> None:
        """Read from `feeds`."""
        self._feeds = feeds

    async def pages(self, after: int) -> AsyncIterator[list[FeedEntry]]:
        """See `WholeLog.pages`."""
        while page := [one for one in self._feeds.entries if one.sequence > after][:3]:
            after = page[-1].sequence
            yield page
