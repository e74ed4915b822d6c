"""Reads the tree of a conversation page by page: its turns, each with what it descends from."""

from functools import partial
from typing import Final

from msgspec import Struct

from turnwire_contracts.ids import ConversationId, ResponseId, TenantId
from turnwire_contracts.queries import AskForTree
from turnwire_store.recalling.lineage import Lineage
from turnwire_store.recalling.recall import Recall
from turnwire_store.recalling.windows import sweep
from turnwire_store.views import Kin, StoredTurn, Views, Window

PAGE_BYTES: Final = 700 * 1024
"""A page must fit in one message of the broker."""

MOST_ON_A_PAGE: Final = 100

_OVERHEAD_BYTES: Final = 40
"""What an id takes, or a node beside what is in it."""


class Branch(Struct, frozen=True):
    """One turn of the tree."""

    turn: StoredTurn
    ancestors: list[ResponseId]


class TreePage(Struct, frozen=True):
    """A part of a tree, in the order that was asked for."""

    branches: list[Branch]
    has_more: bool


async def read_tree(recall: Recall, views: Views, asked: AskForTree, end: int) -> TreePage:
    """Read a page of what ended up to the sequence `end` of the log.

    It may be shorter than was asked for when turns are large, but has one at least if there is one.
    Raises `LogUnavailableError`, `ViewsUnavailableError`.
    """
    within = await _window(views, asked, end)
    if within is None:
        return TreePage([], has_more=False)
    lineage = Lineage(views)
    branches: list[Branch] = []
    size = 0
    limit = min(asked.limit, MOST_ON_A_PAGE)
    read = partial(_kin_in, views, asked.tenant, asked.conversation_id)
    async for kin in sweep(within, read, lambda kin: kin.sequence):
        lineage.meet(kin)
        turn = await _visible(recall, kin, asked)
        if turn is None:
            continue
        if len(branches) == limit:
            return TreePage(branches, has_more=True)
        branch = Branch(turn, await lineage.ancestors(kin))
        size += len(turn.turn) + _OVERHEAD_BYTES * (len(branch.ancestors) + 1)
        if branches and size > PAGE_BYTES:
            return TreePage(branches, has_more=True)
        branches.append(branch)
    return TreePage(branches, has_more=False)


async def _visible(recall: Recall, kin: Kin, asked: AskForTree) -> StoredTurn | None:
    if not kin.is_response and not asked.everything:
        return None
    # Not from the view alone: it may have been deleted, restored or purged just now.
    turn = await recall.turn(asked.tenant, kin.response_id)
    if not isinstance(turn, StoredTurn) or not turn.turn:
        return None
    if turn.deleted and not asked.include_deleted:
        return None
    return turn


async def _window(views: Views, asked: AskForTree, end: int) -> Window | None:
    """Bound the search; `None` if there is nothing to find."""
    about = asked.conversation_id
    conversation = (await views.conversations.find([about])).get(about)
    first = 1 if conversation is None else conversation.created
    if asked.after is None:
        return Window(first, end, asked.newest_first)
    after = (await views.kin([asked.after])).get(asked.after)
    if after is None or after.conversation != about:
        return None
    if asked.newest_first:
        return Window(first, after.sequence - 1, asked.newest_first)
    return Window(after.sequence + 1, end, asked.newest_first)


async def _kin_in(
    views: Views, tenant: TenantId, conversation: ConversationId, window: Window, limit: int
) -> list[Kin]:
    return await views.kin_in(window, tenant, conversation, limit)
