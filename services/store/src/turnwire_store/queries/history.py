"""Reads what a turn descends from: newest first, one range of one chain at a time.

Parents decide what belongs to a history, places only where to look: a turn that is not where it
should be is looked up by its id.

A turn may say that it continues another user's and have ended before that was checked. Only in
a conversation, to which its gateway let it, does a turn descend from another user's.
"""

from typing import Final

import msgspec
from msgspec import Struct

from turnwire_contracts.ids import ConversationId, OwnerId, ResponseId, TenantId
from turnwire_contracts.queries import Running
from turnwire_store.chain_position import ChainPosition
from turnwire_store.queries.recall import Recall
from turnwire_store.views import StoredTurn

PAGE_BYTES: Final = 512 * 1024
"""A page must fit in one message of the broker."""

_SEGMENT: Final = 256


class Page(Struct, frozen=True):
    """The newest part of a history, oldest turn first."""

    turns: list[StoredTurn]
    before: ResponseId | None
    """The turn before them, if there is one."""


async def read_history(
    recall: Recall, tenant: TenantId, response_id: ResponseId, limit: int = PAGE_BYTES
) -> Page | Running | None:
    """Read a turn and what it descends from, as much as fits in `limit` bytes and at least itself.

    Tells of a turn that runs that it does. Turns on the way that were deleted are left out; gives
    nothing if the turn itself was, or if any turn of the page is missing or not to be continued.
    Raises `LogUnavailableError`.
    """
    newest = await recall.turn(tenant, response_id)
    if not isinstance(newest, StoredTurn):
        return newest
    if newest.deleted:
        return None
    walk = _Walk(recall, tenant)
    turns, size, at, child = [newest], len(newest.turn), newest, _whose(newest)
    while (parent := at.parent) is not None:
        at = await walk.step(parent, at.parent_place)
        whose = None if at is None else _whose(at)
        if at is None or (child is not None and not _may_follow(child, whose)):
            return None
        child = whose or child
        if at.deleted:
            continue
        size += len(at.turn)
        if size > limit:
            return Page(turns[::-1], parent)
        turns.append(at)
    return Page(turns[::-1], None)


class _Whose(Struct, frozen=True):
    owner: OwnerId
    conversation: ConversationId | None = None


class _OwnedTurn(Struct, frozen=True):
    """As much of a `ClosedTurn` as says who may continue what."""

    request: _Whose


_DECODER: Final = msgspec.json.Decoder(_OwnedTurn)


def _whose(turn: StoredTurn) -> _Whose | None:
    """Say whose a turn is; `None`: it was purged."""
    return _DECODER.decode(turn.turn).request if turn.turn else None


def _may_follow(child: _Whose, parent: _Whose | None) -> bool:
    return parent is None or child.conversation is not None or child.owner == parent.owner


class _Walk:
    """One way back through the turns of a tenant."""

    def __init__(self, recall: Recall, tenant: TenantId) -> None:
        self._recall = recall
        self._tenant = tenant
        self._ahead: dict[ResponseId, StoredTurn] = {}

    async def step(self, response_id: ResponseId, place: ChainPosition | None) -> StoredTurn | None:
        """Give a turn, which probably stands at `place`."""
        turn = await self._probably(response_id, place)
        if turn is not None:
            return turn if turn.tenant == self._tenant else None
        found = await self._recall.turn(self._tenant, response_id)
        return found if isinstance(found, StoredTurn) else None

    async def _probably(
        self, response_id: ResponseId, place: ChainPosition | None
    ) -> StoredTurn | None:
        turn = self._ahead.get(response_id) or await self._recall.recent(response_id)
        if turn is not None or place is None:
            return turn
        segment = await self._recall.segment(place, _SEGMENT)
        self._ahead = {turn.response_id: turn for turn in segment}
        return self._ahead.get(response_id)
