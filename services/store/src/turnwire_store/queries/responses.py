"""Lists responses by filters: summaries from the views, in the order of their requests.

One key is looked up in an index, all filters are compared. What runs is asked of the log, as its
row may be older than its end. Until the views are where the log is, so is all that is told.
"""

from collections.abc import AsyncIterator
from functools import partial
from typing import Final, Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from turnwire_contracts.ids import ResponseId, TenantId
from turnwire_contracts.inspecting.response_list import (
    AskForResponses,
    Responses,
    ResponseSummary,
    Scan,
    UnknownAfter,
)
from turnwire_contracts.queries import Running
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.wire.texts import texts
from turnwire_store.listing import (
    ListedTurn,
    ListedTurns,
    Window,
    ended_summary,
    key_for,
    matches,
    running_summary,
)
from turnwire_store.queries.freshness import Freshness, ViewsPosition
from turnwire_store.queries.range_scan import sweep
from turnwire_store.queries.recall import Recall
from turnwire_store.views import Generations, StoredTurn, Views

PAGE_BYTES: Final = 700 * 1024
"""A page must fit in one message of the broker."""

MOST_ON_A_PAGE: Final = 100

MOST_COMPARED: Final = 5000
"""So many turns are compared with the filters for one page."""

MOST_SEARCHED: Final = 200
"""So many turns are opened to search their text for one page."""

_MOST_RUNNING: Final = 1000
_NARROW: Final = 512
"""Sequences of the first window: a turn has two events at least, and often few more."""
_CLOCKS_MS: Final = 60_000
"""How far the clocks of gateways and broker may be apart: times only say where to look."""

_DECODER: Final = msgspec.json.Decoder(ClosedTurn)


class NoListsError(Exception):
    """The views were written by an earlier version, and say of no turn when it was requested."""


class LogTimes(Protocol):
    """When what was appended to the log."""

    async def first_since(self, milliseconds: int) -> int:
        """Give the sequence of the first entry since a Unix time; without one, a greater than any.

        Raises `LogUnavailableError`.
        """
        ...


class _Page(Struct):
    rows: list[ResponseSummary] = []
    size: int = 0
    compared: int = 0
    opened: int = 0
    last: ResponseId | None = None
    """The last turn that was looked at."""
    is_full: bool = False

    @property
    def is_spent(self) -> bool:
        return self.compared >= MOST_COMPARED or self.opened >= MOST_SEARCHED


class ResponseLists:
    """Lists the responses of the generation that serves."""

    def __init__(
        self, recall: Recall, generations: Generations, freshness: Freshness, times: LogTimes
    ) -> None:
        self._recall = recall
        self._generations = generations
        self._freshness = freshness
        self._times = times

    async def page(self, request: AskForResponses) -> Responses | UnknownAfter:
        """Give a page of responses.

        It may be shorter than was asked for if summaries are large, or too many had to be compared.
        Raises `LogUnavailableError`, `ViewsUnavailableError`, `NoListsError`.
        """
        reach = await self._freshness.caught_up()
        views = self._generations.views(await self._generations.serving())
        if not await views.has_lists():
            raise NoListsError
        window = await self._window(views, request, reach)
        if window is None:
            return UnknownAfter()
        page = _Page()
        async for turn in _turns(views, window, request):
            if page.is_full or page.is_spent:
                return _told(page, request, complete=False)
            page.compared += 1
            row = await self._row(turn, request, page, whole=reach.whole)
            if row is not None:
                page.size += len(msgspec.json.encode(row))
                full = len(page.rows) == min(request.limit, MOST_ON_A_PAGE)
                if full or (page.rows and page.size > PAGE_BYTES):
                    page.is_full = True
                    return _told(page, request, complete=False)
                page.rows.append(row)
            page.last = turn.summary.response_id
        return _told(page, request, complete=True)

    async def _row(
        self, turn: ListedTurn, request: AskForResponses, page: _Page, *, whole: bool
    ) -> ResponseSummary | None:
        """Give a turn as it is told now, if it is to be told."""
        summary = turn.summary
        is_running = summary.closed_at is None
        filters = replace(request.filters, status=None) if is_running else request.filters
        if turn.deleted or not matches(summary, request.owner, filters):
            return None
        if whole and not is_running and request.search is None:
            return None if self._recall.is_over(summary) else summary
        page.opened += request.search is not None
        found = await self._recall.turn(request.tenant, summary.response_id)
        match found:
            case Running():
                summary = running_summary(found.request, started=found.started)
                said = texts(found.request.input) if request.search else []
            case StoredTurn(deleted=False) if found.turn:
                ended = _DECODER.decode(found.turn)
                summary = ended_summary(ended)
                said = _texts(ended) if request.search else []
            case _:
                return None
        if request.search is not None and not _says(said, request.search):
            return None
        return summary if matches(summary, request.owner, request.filters) else None

    async def _window(
        self, views: Views, request: AskForResponses, reach: ViewsPosition
    ) -> Window | None:
        """Bound the search; `None` if there is no such turn to go on after."""
        first, last = 1, reach.end
        filters = request.filters
        if filters.created_from is not None:
            first = await self._times.first_since(filters.created_from - _CLOCKS_MS)
        if filters.created_to is not None:
            last = min(last, await self._times.first_since(filters.created_to + _CLOCKS_MS))
        if request.after is not None:
            after = await _find(views, request.tenant, request.after)
            if after is None or request.owner not in (None, after.summary.owner):
                return None
            if request.newest_first:
                last = min(last, after.began - 1)
            else:
                first = max(first, after.began + 1)
        return Window(first, last, request.newest_first)


async def _find(views: Views, tenant: TenantId, response_id: ResponseId) -> ListedTurn | None:
    for kept in (views.running, views.listed):
        found = (await kept.find(tenant, [response_id])).get(response_id)
        if found is not None:
            return found
    return None


async def _turns(
    views: Views, window: Window, request: AskForResponses
) -> AsyncIterator[ListedTurn]:
    """Give the turns that may be asked for, in their order, each once."""
    running: list[ListedTurn] = []
    # First what runs: a turn that ends meanwhile is in both, and not in neither.
    if request.filters.status in (None, "queued", "in_progress"):
        key = key_for(request.owner, replace(request.filters, status=None))
        running = await views.running.within(window, request.tenant, key, _MOST_RUNNING)
    running.reverse()
    read = partial(_within, views.listed, request.tenant, key_for(request.owner, request.filters))
    async for turn in sweep(window, read, lambda turn: turn.began, _NARROW):
        while running and _comes_first(running[-1], turn, newest_first=request.newest_first):
            yield running.pop()
        if running and running[-1].began == turn.began:
            running.pop()
        yield turn
    while running:
        yield running.pop()


async def _within(
    kept: ListedTurns, tenant: TenantId, key: str, window: Window, limit: int
) -> list[ListedTurn]:
    return await kept.within(window, tenant, key, limit)


def _comes_first(one: ListedTurn, other: ListedTurn, *, newest_first: bool) -> bool:
    return one.began > other.began if newest_first else one.began < other.began


def _told(page: _Page, request: AskForResponses, *, complete: bool) -> Responses:
    scan = None
    if request.search is not None or not (complete or page.is_full):
        scan = Scan(page.opened if request.search else page.compared, complete, page.last)
    return Responses(page.rows, has_more=not complete, scan=scan)


def _texts(turn: ClosedTurn) -> list[str]:
    kept = [
        item for item in (*turn.request.input, *turn.said) if item.get("id") not in turn.removed
    ]
    return [*texts(kept), turn.instructions or ""]


def _says(said: list[str], words: str) -> bool:
    words = words.casefold()
    return any(words in text.casefold() for text in said)
