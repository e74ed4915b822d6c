"""Finds one turn: in memory, in the views, or in the log, which alone is never behind.

While the views cannot be reached, the log answers everything; it is slower and always right.
"""

import msgspec
import structlog

from turnwire_chassis.event_log import EventLog
from turnwire_contracts.codec import UnreadableEventError
from turnwire_contracts.events import Requested
from turnwire_contracts.ids import ResponseId, TenantId, is_response_id
from turnwire_contracts.turn import ClosedTurn, Erased, ImpossibleEventError, Turn, Unborn, fold
from turnwire_store.recalling.recent import RecentTurns
from turnwire_store.views import Generations, Place, StoredTurn, ViewsUnavailableError

log = structlog.get_logger()


class Recall:
    """Knows where turns are kept."""

    def __init__(self, event_log: EventLog, generations: Generations, recent: RecentTurns) -> None:
        """Read from these three."""
        self._log = event_log
        self._generations = generations
        self._recent = recent

    async def turn(
        self, tenant: TenantId, response_id: ResponseId
    ) -> StoredTurn | Requested | None:
        """Give a turn that has ended, the request of one that runs, or nothing.

        Raises `LogUnavailableError`.
        """
        # What is no id may be a pattern, and the log would answer for more than one turn.
        if not is_response_id(response_id):
            return None
        known = self._recent.get(response_id) or await self._view(response_id)
        if known is None:
            return await self._from_log(tenant, response_id)
        return known if known.tenant == tenant else None

    def recent(self, response_id: ResponseId) -> StoredTurn | None:
        """Give a turn that is in memory, whosever it is."""
        return self._recent.get(response_id)

    async def segment(self, end: Place, length: int) -> list[StoredTurn]:
        """Give views of one chain up to `end`, newest first; none if they cannot be reached."""
        try:
            views = self._generations.views(await self._generations.serving())
            turns = await views.segment(end, length)
        except ViewsUnavailableError as error:
            log.warning("views unavailable", reason=str(error))
            return []
        for turn in reversed(turns):
            self._recent.put(turn)
        return turns

    async def _view(self, response_id: ResponseId) -> StoredTurn | None:
        try:
            views = self._generations.views(await self._generations.serving())
            turn = await views.find(response_id)
        except ViewsUnavailableError as error:
            log.warning("views unavailable", reason=str(error))
            return None
        if turn is not None:
            self._recent.put(turn)
        return turn

    async def _from_log(
        self, tenant: TenantId, response_id: ResponseId
    ) -> StoredTurn | Requested | None:
        try:
            recorded = await self._log.read(tenant, response_id)
            turn = fold([one.event for one in recorded])
        except (UnreadableEventError, ImpossibleEventError) as error:
            log.exception("turn unreadable", response_id=response_id, reason=str(error))
            return None
        told = _told(turn)
        if isinstance(told, StoredTurn):
            self._recent.put(told)
        return told


def _told(turn: Turn) -> StoredTurn | Requested | None:
    match turn:
        case ClosedTurn():
            return _stored(turn) if turn.closed.stored else None
        case Unborn() | Erased():
            return None
        case _:
            return turn.request


def _stored(turn: ClosedTurn) -> StoredTurn:
    request = turn.request
    return StoredTurn(
        response_id=request.response_id,
        tenant=request.tenant,
        parent=request.previous_response_id,
        parent_place=None,
        turn=msgspec.json.encode(turn),
    )
