"""A store of the test's process: a log, its views, and who answers from them."""

from contextlib import aclosing
from dataclasses import dataclass
from typing import Self

from turnwire_store.handlers import QueryHandlers
from turnwire_store.projecting.batches import ProjectorPorts
from turnwire_store.projecting.projector import Projector
from turnwire_store.recent_turns import RecentTurns
from turnwire_store.views import Generations
from turnwire_testing.memory_event_log import Event
from turnwire_testing.memory_feed import MemoryFeeds
from turnwire_testing.query_handlers import query_handlers


@dataclass(frozen=True)
class AskedStore:
    """Events are projected when they are written, or stay behind the views when appended alone."""

    log: MemoryFeeds
    generations: Generations
    recent: RecentTurns
    handlers: QueryHandlers

    @classmethod
    def over(cls, generations: Generations, recent_bytes: int) -> Self:
        """Make a store over these views, with an empty log and so much memory for recent turns."""
        log, recent = MemoryFeeds(), RecentTurns(recent_bytes)
        return cls(log, generations, recent, query_handlers(log, generations, recent))

    async def write(self, *events: Event) -> None:
        """Append and project."""
        await self.append(*events)
        projector = Projector(ProjectorPorts(self.log, self.log, self.generations, self.recent))
        async with aclosing(projector.follow(0)) as progress:
            async for behind in progress:
                if behind == 0:
                    return

    async def append(self, *events: Event) -> None:
        """Append what is not projected."""
        for event in events:
            await self.log.append(event, None)
