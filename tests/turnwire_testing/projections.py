"""Projections of logs in memory, calm or shaken by failures."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import aclosing
from itertools import chain, repeat
from typing import TypeVar

from turnwire_chassis.event_log import LogUnavailableError, Recorded, RecordedConversation
from turnwire_contracts.conversation_events import AnyConversationEvent
from turnwire_contracts.events import AnyEvent
from turnwire_contracts.ids import ConversationId, ResponseId
from turnwire_store.projecting.batches import ProjectorPorts
from turnwire_store.projecting.projector import Projector
from turnwire_store.projecting.view_builder import ProjectionLimits
from turnwire_store.recent_turns import RecentTurns
from turnwire_store.views import ConversationView, Revision, View, ViewsUnavailableError
from turnwire_testing.memory_feed import MemoryFeeds
from turnwire_testing.memory_views import MemoryConversationViews, MemoryGenerations, MemoryViews

Log = Sequence[AnyEvent | AnyConversationEvent]
"""Events of turns and conversations in the order in which they were appended."""

MANY = 1_000_000

OneT = TypeVar("OneT")


class Luck:
    """Decides which operations fail, and which parts of them are done nevertheless."""

    def __init__(self, failures: Iterable[int]) -> None:
        """Let the first operations fail whose number is not 0; its bits say what is done."""
        self._failures = chain(failures, repeat(0))

    def next(self) -> int:
        """Tell about the next operation."""
        return next(self._failures)


class FailingConversations(MemoryConversationViews):
    """Conversations whose server may be lost in the middle of a write."""

    def __init__(self, luck: Luck) -> None:
        """Fail as `luck` has it."""
        super().__init__()
        self._luck = luck

    async def write(self, views: Sequence[ConversationView]) -> None:
        """See `ConversationViews.write`."""
        failure = self._luck.next()
        await super().write(views if not failure else part_of(views, failure))
        fail_if(failure)

    async def remove(self, ids: Collection[ConversationId]) -> None:
        """See `ConversationViews.remove`."""
        failure = self._luck.next()
        await super().remove(ids if not failure else part_of(list(ids), failure))
        fail_if(failure)


class FailingViews(MemoryViews):
    """Views whose server may be lost in the middle of a write."""

    def __init__(self, luck: Luck) -> None:
        """Fail as `luck` has it."""
        super().__init__()
        self._luck = luck
        self.conversations = FailingConversations(luck)

    async def write(self, views: Sequence[View]) -> None:
        """See `Views.write`: unordered, so any part of it may be done."""
        failure = self._luck.next()
        await super().write(views if not failure else part_of(views, failure))
        fail_if(failure)

    async def revise(self, revisions: Sequence[Revision]) -> None:
        """See `Views.revise`."""
        failure = self._luck.next()
        await super().revise(revisions if not failure else part_of(revisions, failure))
        fail_if(failure)

    async def remove(self, ids: Collection[ResponseId]) -> None:
        """See `Views.remove`."""
        failure = self._luck.next()
        await super().remove(ids if not failure else part_of(list(ids), failure))
        fail_if(failure)


class FailingGenerations(MemoryGenerations):
    """One generation of views that may fail."""

    def __init__(self, luck: Luck) -> None:
        """Fail as `luck` has it."""
        super().__init__()
        self.only = FailingViews(luck)

    async def prepare(self, generation: int) -> MemoryViews:
        """See `Generations.prepare`."""
        del generation
        return self.only

    def views(self, generation: int) -> MemoryViews:
        """See `Generations.views`."""
        del generation
        return self.only


class FailingFeeds(MemoryFeeds):
    """A log that may be lost in the middle of an erasure."""

    luck: Luck | None = None

    async def erase(self, recorded: Recorded | RecordedConversation) -> None:
        """See `EventLog.erase`."""
        failure = self.luck.next() if self.luck else 0
        if not failure or failure & 1:
            await super().erase(recorded)
        if failure:
            raise LogUnavailableError("lost")


async def appended(log: Log, sizes: Iterator[int] | None = None) -> FailingFeeds:
    """Give a log that holds these events."""
    feeds = FailingFeeds(sizes)
    for event in log:
        await feeds.append(event, None)
    return feeds


async def project(
    feeds: FailingFeeds,
    failures: Sequence[int] = (),
    limits: ProjectionLimits | None = None,
    batches: int = MANY,
) -> FailingGenerations:
    """Project until all is done, starting again after every failure."""
    feeds.luck = luck = Luck(failures)
    generations = FailingGenerations(luck)
    ports = ProjectorPorts(feeds, feeds, generations, RecentTurns(0), limits or ProjectionLimits())
    while True:
        try:
            async with aclosing(Projector(ports).follow(0)) as progress:
                async for behind in progress:
                    batches -= 1
                    if behind == 0 or batches < 0:
                        return generations
        except (ViewsUnavailableError, LogUnavailableError):
            continue


def part_of(whole: Sequence[OneT], bits: int) -> list[OneT]:
    """Give those of `whole` whose bit is set."""
    return [one for at, one in enumerate(whole) if bits >> at & 1]


def fail_if(failure: int) -> None:
    """Lose the server."""
    if failure:
        raise ViewsUnavailableError("lost")
