"""Where turns stand in their conversation, decided in the order of the log.

The place of a turn depends on the log alone, not on when or how often it is projected: the first
child of a turn continues its chain, whoever asks and however much of this memory was lost.
"""

from collections import OrderedDict
from collections.abc import Mapping

import msgspec

from turnwire_contracts.ids import ResponseId
from turnwire_store.views import Place, Standing


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
        self, response_id: ResponseId, parent: ResponseId | None, sequence: int
    ) -> tuple[Place, Place | None]:
        """Place a turn that ended at `sequence`, beside its parent's chain if that goes on already.

        Gives the place, and that of the parent if the turn starts a chain beside it. A parent that
        neither was placed nor learned is gone: its child starts anew.
        """
        above = self._standings.get(parent) if parent is not None else None
        # The views may know more than the log said up to here, when they are written again.
        if parent is None or above is None or above.sequence > sequence:
            place, fork = Place(response_id, 0), None
        elif above.heir is None or above.heir == response_id:
            place, fork = Place(above.place.chain, above.place.depth + 1), None
            self._standings[parent] = msgspec.structs.replace(above, heir=response_id)
            self._standings.move_to_end(parent)
        else:
            place, fork = Place(response_id, 0), above.place
        self._standings[response_id] = Standing(sequence, place, None)
        return place, fork

    def trim(self) -> None:
        """Forget all but the last `limit` standings.

        Only between batches: the views do not know yet what the current batch has decided.
        """
        while len(self._standings) > self._limit:
            self._standings.popitem(last=False)
