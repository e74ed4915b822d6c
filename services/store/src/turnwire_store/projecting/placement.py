"""Where turns stand in their conversation, decided in the order of the log.

The place of a turn depends on the log alone, not on when or how often it is projected: the first
child of a turn continues its chain, whoever asks and however much of this memory was lost.
"""

from collections import OrderedDict
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from turnwire_contracts.ids import ConversationId, OwnerId, ResponseId
from turnwire_store.views import Place, Standing


class Placed(Struct, frozen=True):
    """Where a turn stands, and in which conversation."""

    place: Place
    fork: Place | None = None
    """The parent's place, for a turn that starts a chain beside that of its parent."""
    conversation: ConversationId | None = None


class Placement:
    """Gives each turn its place; remembers the last ones, the rest is learned from the views."""

    def __init__(self, limit: int) -> None:
        """Remember `limit` standings between batches."""
        self._limit = limit
        self._standings: OrderedDict[ResponseId, Standing] = OrderedDict()

    def knows(self, response_id: ResponseId) -> bool:
        """Tell whether the standing of a turn is remembered."""
        return response_id in self._standings

    def learn(self, standings: Mapping[ResponseId, Standing]) -> None:
        """Remember what the views say."""
        self._standings.update(standings)

    def place(
        self,
        response_id: ResponseId,
        parent: ResponseId | None,
        sequence: int,
        conversation: ConversationId | None = None,
        owner: OwnerId | None = None,
    ) -> Placed:
        """Place a turn that ended at `sequence`, beside its parent's chain if that goes on already.

        A turn that was not made in a `conversation` belongs to that of its parent. A parent that
        neither was placed nor learned is gone: its child starts anew. So does a branch of another
        `owner`: only in a conversation a turn may follow another user's.
        """
        above = self._standings.get(parent) if parent is not None else None
        # The views may know more than the log said up to here, when they are written again.
        if (
            parent is None
            or above is None
            or above.sequence > sequence
            or (conversation is None and owner != above.owner)
        ):
            placed = Placed(Place(response_id, 0), None, conversation)
        else:
            conversation = conversation or above.conversation
            if above.heir is None or above.heir == response_id:
                below = Place(above.place.chain, above.place.depth + 1)
                placed = Placed(below, None, conversation)
                self._standings[parent] = msgspec.structs.replace(above, heir=response_id)
                self._standings.move_to_end(parent)
            else:
                placed = Placed(Place(response_id, 0), above.place, conversation)
        self._standings[response_id] = Standing(
            sequence, placed.place, None, placed.conversation, owner
        )
        return placed

    def forget(self) -> None:
        """Forget everything: turns were taken away, and only the views know what is left.

        Only when they know all that was decided, as with `trim`.
        """
        self._standings.clear()

    def trim(self) -> None:
        """Forget all but the last `limit` standings.

        Only between batches: the views do not know yet what the current batch has decided.
        """
        while len(self._standings) > self._limit:
            self._standings.popitem(last=False)
