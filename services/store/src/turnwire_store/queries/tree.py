"""Reads the tree of a conversation page by page: its turns, each with what it descends from.

Parents decide who descends from whom, places only say where to look, as in a history. Lineages are
read without the content of turns.
"""

from collections.abc import Iterable
from functools import partial
from typing import Final

from msgspec import Struct

from turnwire_contracts.ids import ConversationId, ResponseId, TenantId
from turnwire_contracts.queries import AskForTree
from turnwire_store.chain_position import ChainPosition
from turnwire_store.listing import Window
from turnwire_store.queries.range_scan import sweep
from turnwire_store.queries.recall import Recall
from turnwire_store.views import LineageRow, StoredTurn, Views

PAGE_BYTES: Final = 700 * 1024
"""A page must fit in one message of the broker."""

MOST_ON_A_PAGE: Final = 100

_OVERHEAD_BYTES: Final = 40
"""What an id takes, or a node beside what is in it."""

MOST_ANCESTORS: Final = 10_000
"""A node must fit in one message of the broker; of more ancestors the nearest are told."""

_SEGMENT: Final = 512


class Branch(Struct, frozen=True):
    """One turn of the tree."""

    turn: StoredTurn
    ancestors: list[ResponseId]


class TreePage(Struct, frozen=True):
    """A part of a tree, in the order that was asked for."""

    branches: list[Branch]
    has_more: bool


class Lineage:
    """Remembers the turns of one conversation that it has met."""

    def __init__(self, views: Views) -> None:
        self._views = views
        self._rows: dict[ResponseId, LineageRow] = {}

    def meet(self, row: LineageRow) -> None:
        """Take a turn that was read anyway."""
        self._rows[row.response_id] = row

    async def ancestors(self, of: LineageRow) -> list[ResponseId]:
        """Give the responses of the same conversation that a turn descends from, oldest first.

        Raises `ViewsUnavailableError`.
        """
        found: list[ResponseId] = []
        at = of
        while at.parent is not None and len(found) < MOST_ANCESTORS:
            above = await self._step(at.parent, at.parent_place)
            # One that is purged ends the line, as it ends every history.
            if above is None or above.conversation != of.conversation:
                break
            if above.is_response:
                found.append(above.response_id)
            at = above
        return found[::-1]

    async def _step(
        self, response_id: ResponseId, place: ChainPosition | None
    ) -> LineageRow | None:
        if response_id not in self._rows and place is not None:
            self._meet_all(await self._views.lineage_rows_above(place, _SEGMENT))
        if response_id not in self._rows:
            self._meet_all((await self._views.lineage_rows([response_id])).values())
        return self._rows.get(response_id)

    def _meet_all(self, rows: Iterable[LineageRow]) -> None:
        for row in rows:
            self.meet(row)


async def read_tree(recall: Recall, views: Views, request: AskForTree, end: int) -> TreePage:
    """Read a page of what ended up to the sequence `end` of the log.

    It may be shorter than was asked for when turns are large, but has one at least if there is one.
    Raises `LogUnavailableError`, `ViewsUnavailableError`.
    """
    within = await _window(views, request, end)
    if within is None:
        return TreePage([], has_more=False)
    lineage = Lineage(views)
    branches: list[Branch] = []
    size = 0
    limit = min(request.limit, MOST_ON_A_PAGE)
    read = partial(_lineage_rows_in, views, request.tenant, request.conversation_id)
    async for row in sweep(within, read, lambda row: row.sequence):
        lineage.meet(row)
        turn = await _visible(recall, row, request)
        if turn is None:
            continue
        if len(branches) == limit:
            return TreePage(branches, has_more=True)
        branch = Branch(turn, await lineage.ancestors(row))
        size += len(turn.turn) + _OVERHEAD_BYTES * (len(branch.ancestors) + 1)
        if branches and size > PAGE_BYTES:
            return TreePage(branches, has_more=True)
        branches.append(branch)
    return TreePage(branches, has_more=False)


async def _visible(recall: Recall, row: LineageRow, request: AskForTree) -> StoredTurn | None:
    if not row.is_response and not request.everything:
        return None
    # Not from the view alone: it may have been deleted, restored or purged just now.
    turn = await recall.turn(request.tenant, row.response_id)
    if not isinstance(turn, StoredTurn) or not turn.turn:
        return None
    if turn.deleted and not request.include_deleted:
        return None
    return turn


async def _window(views: Views, request: AskForTree, end: int) -> Window | None:
    """Bound the search; `None` if there is nothing to find."""
    about = request.conversation_id
    conversation = (await views.conversations.find([about])).get(about)
    first = 1 if conversation is None else conversation.created
    if request.after is None:
        return Window(first, end, request.newest_first)
    after = (await views.lineage_rows([request.after])).get(request.after)
    if after is None or after.conversation != about:
        return None
    if request.newest_first:
        return Window(first, after.sequence - 1, request.newest_first)
    return Window(after.sequence + 1, end, request.newest_first)


async def _lineage_rows_in(
    views: Views, tenant: TenantId, conversation: ConversationId, window: Window, limit: int
) -> list[LineageRow]:
    return await views.lineage_rows_in(window, tenant, conversation, limit)
