"""Where turns stand in their conversation, decided in the order of the log.

The place of a turn depends on the log alone, not on when or how often it is projected: the first
child of a turn continues its chain, however much of this memory was lost.
"""

from collections import OrderedDict
from collections.abc import Collection, Mapping

import msgspec
from msgspec import Struct

from turnwire_contracts.ids import ConversationId, OwnerId, ResponseId


class ChainPosition(Struct, frozen=True):
    """Where a turn stands: the id of its chain's first turn, and how many turns come before it."""

    chain: ResponseId
    depth: int


class ChainStatus(Struct, frozen=True):
    """A turn's place, and which of its children continues the chain, if any does."""

    sequence: int
    """Where the log says that the turn ended."""
    place: ChainPosition
    successor: ResponseId | None
    conversation: ConversationId | None = None
    owner: OwnerId | None = None


class PositionedTurn(Struct, frozen=True):
    """Where a turn stands, and in which conversation."""

    place: ChainPosition
    fork: ChainPosition | None = None
    """The parent's place, for a turn that starts a chain beside that of its parent."""
    conversation: ConversationId | None = None


def parent_place(place: ChainPosition, fork: ChainPosition | None) -> ChainPosition | None:
    """Tell where the parent of the turn at `place` stands, if that can be told."""
    return ChainPosition(place.chain, place.depth - 1) if place.depth else fork


class ChainPositions:
    """Gives each turn its place; remembers the last ones, the rest is learned from the views."""

    def __init__(self, limit: int) -> None:
        """Remember `limit` chain statuses between batches."""
        self._limit = limit
        self._statuses: OrderedDict[ResponseId, ChainStatus] = OrderedDict()

    def knows(self, response_id: ResponseId) -> bool:
        """Tell whether the chain status of a turn is remembered."""
        return response_id in self._statuses

    def learn(self, chain_statuses: Mapping[ResponseId, ChainStatus]) -> None:
        """Remember what the views say."""
        self._statuses.update(chain_statuses)

    def find(self, response_id: ResponseId, parent: ResponseId | None, status: ChainStatus) -> None:
        """Take a turn that was placed before: it stands where the views have it."""
        above = self._statuses.get(parent) if parent is not None else None
        if parent is not None and above is not None and status.place.depth:
            self._statuses[parent] = msgspec.structs.replace(above, successor=response_id)
        self._statuses[response_id] = status

    def place(
        self,
        response_id: ResponseId,
        parent: ResponseId | None,
        sequence: int,
        conversation: ConversationId | None = None,
        owner: OwnerId | None = None,
    ) -> PositionedTurn:
        """Place a turn that ended at `sequence`, beside its parent's chain if that goes on already.

        A turn that was not made in a `conversation` belongs to that of its parent. A parent that
        neither was placed nor learned is gone: its child starts anew. So does a branch of another
        `owner`: only in a conversation a turn may follow another user's.
        """
        above = self._statuses.get(parent) if parent is not None else None
        # The views may know more than the log said up to here, when they are written again.
        if (
            parent is None
            or above is None
            or above.sequence > sequence
            or (conversation is None and owner != above.owner)
        ):
            placed = PositionedTurn(ChainPosition(response_id, 0), None, conversation)
        else:
            conversation = conversation or above.conversation
            if above.successor is None or above.successor == response_id:
                below = ChainPosition(above.place.chain, above.place.depth + 1)
                placed = PositionedTurn(below, None, conversation)
                self._statuses[parent] = msgspec.structs.replace(above, successor=response_id)
                self._statuses.move_to_end(parent)
            else:
                placed = PositionedTurn(ChainPosition(response_id, 0), above.place, conversation)
        self._statuses[response_id] = ChainStatus(
            sequence, placed.place, None, placed.conversation, owner
        )
        return placed

    def forget(self, gone: Collection[ResponseId]) -> None:
        """Forget turns that were taken away, and whose place they continued: the views know.

        Only when they know all that was decided, as with `trim`.
        """
        for one, status in list(self._statuses.items()):
            if one in gone or status.successor in gone:
                del self._statuses[one]

    def trim(self) -> None:
        """Forget all but the last `limit` chain statuses.

        Only between batches: the views do not know yet what the current batch has decided.
        """
        while len(self._statuses) > self._limit:
            self._statuses.popitem(last=False)
