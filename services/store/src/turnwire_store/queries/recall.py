"""Finds one turn: in memory, in the views, or in the log, which alone is never behind.

While the views cannot be reached, or are not fresh, the log answers everything; it is slower and
always right. So it is for a turn that has changed after its end, until the views are sure to know.
"""

from typing import assert_never

import msgspec
import structlog

from turnwire_chassis.event_log import EventLog
from turnwire_chassis.retention import KEEPS_ALL, Retention
from turnwire_contracts.codec import UnreadableEventError
from turnwire_contracts.events import Purged
from turnwire_contracts.ids import ConversationId, ResponseId, TenantId, is_response_id
from turnwire_contracts.inspecting.response_list import ResponseSummary
from turnwire_contracts.queries import Running
from turnwire_contracts.turn import ImpossibleEventError, fold
from turnwire_contracts.turn_state import (
    ClosedTurn,
    Erased,
    NotRequested,
    RefusedByGuard,
    Sampling,
    Screening,
    Turn,
)
from turnwire_store.chain_position import ChainPosition
from turnwire_store.queries.freshness import Freshness
from turnwire_store.recent_turns import RecentTurns
from turnwire_store.views import Generations, StoredTurn, ViewsUnavailableError

log = structlog.get_logger()


class _Asked(msgspec.Struct):
    conversation: ConversationId | None = None


class _Times(msgspec.Struct):
    request: _Asked


_TIMES = msgspec.json.Decoder(_Times)
"""Of a `ClosedTurn`, what tells whether its time ends at all."""


class Recall:
    """Knows where turns are kept."""

    def __init__(
        self,
        event_log: EventLog,
        generations: Generations,
        recent: RecentTurns,
        freshness: Freshness,
        retention: Retention = KEEPS_ALL,
    ) -> None:
        """Read from the first three; `freshness` tells when the middle ones may be.

        What `retention` keeps no longer is told as purged, whether or not it is already.
        """
        self._log = event_log
        self._generations = generations
        self._recent = recent
        self._freshness = freshness
        self._retention = retention

    async def turn(self, tenant: TenantId, response_id: ResponseId) -> StoredTurn | Running | None:
        """Give a turn that has ended, deleted or not; or that it runs; or nothing.

        Raises `LogUnavailableError`.
        """
        # What is no id may be a pattern, and the log would answer for more than one turn.
        if not is_response_id(response_id):
            return None
        turn = await self._from_views(response_id)
        if turn is None:
            found = await self._from_log(tenant, response_id)
            return self._kept(found) if isinstance(found, StoredTurn) else found
        return self._kept(turn) if turn.tenant == tenant else None

    async def recent(self, response_id: ResponseId) -> StoredTurn | None:
        """Give a turn that is in memory, of any tenant."""
        turn = self._recent.get(response_id) if await self._freshness.is_fresh() else None
        return self._kept(turn) if turn is not None else None

    async def segment(self, end: ChainPosition, length: int) -> list[StoredTurn]:
        """Give views of one chain up to `end`, newest first; none if they cannot be reached.

        Those that may be behind are left out.
        """
        if not await self._freshness.is_fresh():
            return []
        mark = self._recent.mark()
        try:
            views = self._generations.views(await self._generations.serving())
            turns = await views.segment(end, length)
        except ViewsUnavailableError as error:
            log.warning("views unavailable", reason=str(error))
            return []
        right = [turn for turn in turns if not self._recent.is_outdated(turn.response_id)]
        for turn in reversed(right):
            self._recent.put(turn, mark)
        return [self._kept(turn) for turn in right]

    def is_over(self, summary: ResponseSummary) -> bool:
        """Tell whether the time of a listed turn is over: it is told as purged."""
        return summary.conversation is None and self._retention.is_over(summary.created_at)

    def _kept(self, turn: StoredTurn) -> StoredTurn:
        """Give a turn as it is told now: one whose time is over has no content."""
        if not turn.turn or not self._retention.is_over(turn.created_at):
            return turn
        # Most are not so old, and need not be looked into.
        request = _TIMES.decode(turn.turn).request
        if request.conversation is not None:
            return turn
        return msgspec.structs.replace(turn, turn=b"", deleted=True)

    async def _from_views(self, response_id: ResponseId) -> StoredTurn | None:
        if not await self._freshness.is_fresh():
            return None
        turn = self._recent.get(response_id)
        if turn is None and not self._recent.is_outdated(response_id):
            return await self._view(response_id)
        return turn

    async def _view(self, response_id: ResponseId) -> StoredTurn | None:
        mark = self._recent.mark()
        try:
            views = self._generations.views(await self._generations.serving())
            turn = await views.find(response_id)
        except ViewsUnavailableError as error:
            log.warning("views unavailable", reason=str(error))
            return None
        if turn is not None:
            self._recent.put(turn, mark)
        return turn

    async def _from_log(
        self, tenant: TenantId, response_id: ResponseId
    ) -> StoredTurn | Running | None:
        mark = self._recent.mark()
        try:
            recorded = await self._log.read(tenant, response_id)
            turn = fold([one.event for one in recorded])
        except (UnreadableEventError, ImpossibleEventError) as error:
            log.exception("turn unreadable", response_id=response_id, reason=str(error))
            return None
        found = _told(turn)
        if isinstance(found, StoredTurn):
            self._recent.put(found, mark)
        return found


def _told(turn: Turn) -> StoredTurn | Running | None:
    match turn:
        case ClosedTurn():
            return _stored(turn) if turn.closed.stored else None
        case Erased(last=Purged() as purged):
            return _gone(purged)
        case NotRequested() | Erased():
            return None
        case Screening() | Sampling():
            # What is inherited is known when the turn ends; until then the client's own words are.
            return Running(turn.request, turn.request.instructions, turn.started)
        case RefusedByGuard():
            # The guard is asked by the owner that takes the turn from the queue.
            return Running(turn.request, turn.request.instructions, turn.request.background)
        case _:
            assert_never(turn)


def _gone(purged: Purged) -> StoredTurn:
    previous = purged.previous_response_id
    return StoredTurn(purged.response_id, purged.tenant, previous, None, turn=b"", deleted=True)


def _stored(turn: ClosedTurn) -> StoredTurn:
    request = turn.request
    return StoredTurn(
        response_id=request.response_id,
        tenant=request.tenant,
        parent=request.previous_response_id,
        parent_place=None,
        turn=msgspec.json.encode(turn),
        deleted=turn.deleted,
        created_at=request.at,
    )
