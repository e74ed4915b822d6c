"""Compares what views say with what the log says, while both go on."""

from collections.abc import AsyncIterator, Callable
from typing import Protocol

from msgspec import Struct

from turnwire_chassis.event_log import EventLog
from turnwire_contracts.codec import UnreadableEventError
from turnwire_store.feed import FeedEntry
from turnwire_store.verifying.digest import Difference, Projection
from turnwire_store.verifying.log_fold import LogFold, about
from turnwire_store.views import Views


class WholeLog(Protocol):
    """The log from its beginning, to read it and not to follow it."""

    def pages(self, after: int) -> AsyncIterator[list[FeedEntry]]:
        """Give the entries behind a sequence, page by page, up to the end.

        Raises `LogUnavailableError`.
        """
        ...


class Compared(Struct, frozen=True):
    """Two projections, without what changed while they were read."""

    log: Projection
    views: Projection
    differences: tuple[Difference, ...]
    """As seen from the views."""
    entries: int
    """How many entries the log has up to the place where they were compared."""
    unreadable: dict[str, str]
    """What the log has entries of that have no effect, and why; the views may lack it."""


class Comparison:
    """Compares generations of views with the log up to one place in it."""

    def __init__(self, log: WholeLog, events: EventLog) -> None:
        """Read the log by `log`, and single turns by `events`."""
        self._log = log
        self._events = events
        self._fold = LogFold()
        self._until = 0

    async def read_log(self, until: int, progress: Callable[[int], None]) -> None:
        """Fold the log up to the sequence `until`; `progress` is told where the reading is.

        Raises `LogUnavailableError`.
        """
        self._until = until
        async for page in self._log.pages(0):
            self._fold.take(entry for entry in page if entry.sequence <= until)
            progress(min(page[-1].sequence, until))
            if page[-1].sequence >= until:
                break
        for response_id, tenant in self._fold.changed.items():
            try:
                recorded = await self._events.read(tenant, response_id)
            except UnreadableEventError as error:
                self._fold.unreadable.setdefault(response_id, str(error))
            else:
                self._fold.settle([one for one in recorded if one.sequence <= until])

    async def with_views(self, views: Views) -> Compared:
        """Compare views with it, as far as both are told.

        Raises `LogUnavailableError`, `ViewsUnavailableError`.
        """
        checkpoint = await views.checkpoint()
        kept = await projection_of(views)
        # What has an event behind either place may be told by now, or be gone, or not yet.
        later = {one for one, last in self._fold.last.items() if last > checkpoint}
        async for page in self._log.pages(self._until):
            later.update(about(entry.subject) for entry in page)
        log, kept = self._fold.projection.without(later), kept.without(later)
        unreadable = dict(self._fold.unreadable)
        differences = tuple(each for each in kept.differences(log) if each.about not in unreadable)
        return Compared(log, kept, differences, self._fold.entries, unreadable)


async def projection_of(views: Views) -> Projection:
    """Read all views of a generation. Raises `ViewsUnavailableError`."""
    kept = Projection()
    async for view in views.every():
        kept.add_view(view)
    async for conversation in views.conversations.every():
        kept.add_conversation(conversation)
    return kept
