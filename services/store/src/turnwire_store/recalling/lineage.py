"""Tells which turns of its conversation a turn descends from, without reading their content.

Parents decide, places only say where to look, as in a history.
"""

from collections.abc import Iterable
from typing import Final

from turnwire_contracts.ids import ResponseId
from turnwire_store.views import Kin, Place, Views

MOST_ANCESTORS: Final = 10_000
"""A node must fit in one message of the broker; of more ancestors the nearest are told."""

_SEGMENT: Final = 512


class Lineage:
    """Remembers the turns of one conversation that it has met."""

    def __init__(self, views: Views) -> None:
        """Read from `views`."""
        self._views = views
        self._known: dict[ResponseId, Kin] = {}

    def meet(self, kin: Kin) -> None:
        """Take a turn that was read anyway."""
        self._known[kin.response_id] = kin

    async def ancestors(self, of: Kin) -> list[ResponseId]:
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

    async def _step(self, wanted: ResponseId, place: Place | None) -> Kin | None:
        if wanted not in self._known and place is not None:
            self._meet_all(await self._views.kin_above(place, _SEGMENT))
        if wanted not in self._known:
            self._meet_all((await self._views.kin([wanted])).values())
        return self._known.get(wanted)

    def _meet_all(self, kin: Iterable[Kin]) -> None:
        for one in kin:
            self.meet(one)
