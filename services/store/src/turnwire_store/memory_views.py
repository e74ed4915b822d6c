"""The views in memory: the double that tests use; it keeps the port's promises."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import msgspec

from turnwire_contracts.ids import ResponseId
from turnwire_store.views import Place, Standing, StoredTurn, View, stored


class MemoryViews:
    """`Views` without durability."""

    def __init__(self) -> None:
        """Start empty."""
        self.written: dict[ResponseId, View] = {}
        self._at: dict[Place, ResponseId] = {}
        self._checkpoint = 0

    async def find(self, response_id: ResponseId) -> StoredTurn | None:
        """See `Views.find`."""
        view = self.written.get(response_id)
        return stored(view) if view else None

    async def segment(self, end: Place, length: int) -> list[StoredTurn]:
        """See `Views.segment`."""
        depths = range(end.depth, max(-1, end.depth - length), -1)
        places = [Place(end.chain, depth) for depth in depths]
        return [stored(self.written[self._at[place]]) for place in places if place in self._at]

    async def standings(self, ids: Collection[ResponseId]) -> Mapping[ResponseId, Standing]:
        """See `Views.standings`."""
        return {known: self._standing(known) for known in ids if known in self.written}

    async def write(self, views: Sequence[View]) -> None:
        """See `Views.write`."""
        for view in views:
            if view.response_id in self.written:
                continue
            own = Place(view.response_id, 0)
            taken = view.place in self._at
            kept = msgspec.structs.replace(view, place=own, fork=None) if taken else view
            self.written[view.response_id] = kept
            self._at[kept.place] = view.response_id

    async def checkpoint(self) -> int:
        """See `Views.checkpoint`."""
        return self._checkpoint

    async def advance(self, sequence: int) -> None:
        """See `Views.advance`."""
        self._checkpoint = max(self._checkpoint, sequence)

    def _standing(self, response_id: ResponseId) -> Standing:
        view = self.written[response_id]
        place = view.place
        return Standing(view.sequence, place, self._at.get(Place(place.chain, place.depth + 1)))


class MemoryGenerations:
    """`Generations` inside one process."""

    def __init__(self) -> None:
        """Start with one empty generation that serves."""
        self._serving = 0
        self._views: dict[int, MemoryViews] = defaultdict(MemoryViews)

    async def reach(self, within_s: float) -> None:
        """See `Generations.reach`."""

    async def serving(self) -> int:
        """See `Generations.serving`."""
        return self._serving

    async def serve(self, generation: int) -> None:
        """See `Generations.serve`."""
        if generation == self._serving + 1:
            self._serving = generation

    async def prepare(self, generation: int) -> MemoryViews:
        """See `Generations.prepare`."""
        return self._views[generation]

    def views(self, generation: int) -> MemoryViews:
        """See `Generations.views`."""
        return self._views[generation]

    async def drop_before(self, generation: int) -> None:
        """See `Generations.drop_before`."""
        for old in [number for number in self._views if number < generation]:
            del self._views[old]
