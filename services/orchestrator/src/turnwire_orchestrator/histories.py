"""Histories: recent ones from memory, all others from the store."""

from collections import OrderedDict
from time import perf_counter

from nats.aio.client import Client

from turnwire_chassis.request_reply.asking import UnansweredQueryError, ask_patiently
from turnwire_chassis.retention import KEEPS_ALL, Retention
from turnwire_chassis.telemetry.metrics import HISTORIES
from turnwire_contracts.events import Requested
from turnwire_contracts.ids import OwnerId, ResponseId, TenantId
from turnwire_contracts.queries import (
    STORE_HISTORY,
    AskForHistory,
    History,
    Missing,
    Running,
)
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.wire.refusals import previous_in_progress, previous_not_found
from turnwire_orchestrator import failures
from turnwire_orchestrator.failures import TurnFailedError
from turnwire_orchestrator.prompting.history import HistoryTurn, past_of

_ASK_TIMEOUT_S = 15.0
_PATIENCE_S = 10.0
"""How long the store may be away: the turn is accepted, and what fell often takes as long."""
_OVERHEAD_BYTES = 512


class StoreHistories:
    """`Histories` in front of the store.

    What has ended changes only by `event_kinds.TURN_CHANGES`: then everything is forgotten, because
    each history holds those before it. The broker delivers a change to this process before any
    request that was made after it.
    """

    def __init__(
        self,
        client: Client,
        most_bytes: int,
        retention: Retention = KEEPS_ALL,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        """Keep at most `most_bytes` of encoded items, and nothing that `retention` does not.

        `patience_s`: how long the store may be away.
        """
        self._client = client
        self._patience_s = patience_s
        self._retention = retention
        self._most_bytes = most_bytes
        self._bytes = 0
        self._changes = 0
        self._connections = client.stats["reconnects"]
        self._recent: OrderedDict[tuple[TenantId, ResponseId], HistoryTurn] = OrderedDict()

    async def past(
        self, tenant: TenantId, response_id: ResponseId, reader: OwnerId | None
    ) -> HistoryTurn:
        """See `Histories.past`."""
        self._forget_what_changed_unheard()
        began, source = perf_counter(), "memory"
        past = self._recent.get((tenant, response_id))
        if past is None or self._retention.is_over(past.oldest):
            source = "store"
            past = await self._from_store(tenant, response_id, reader)
        else:
            self._recent.move_to_end((tenant, response_id))
        HISTORIES(source).observe(perf_counter() - began)
        if reader not in (None, past.owner):
            raise TurnFailedError(previous_not_found(response_id))
        return past

    def remember(self, turn: ClosedTurn, parent: HistoryTurn | None) -> None:
        """See `Histories.remember`."""
        self._forget_what_changed_unheard()
        if turn.closed.stored and self._is_current(turn.request, parent):
            self._keep(turn.request.tenant, past_of(turn, parent))

    def _is_current(self, request: Requested, parent: HistoryTurn | None) -> bool:
        """Tell whether `parent` is what a request stands on, and has not changed since."""
        previous = request.previous_response_id
        if previous is None or parent is None:
            # A turn that ended before it was sampled may not have read what it stands on.
            return previous is None
        return self._recent.get((request.tenant, previous)) is parent

    def forget(self) -> None:
        """Forget everything: a turn was deleted, restored, or lost an item."""
        self._changes += 1
        self._bytes = 0
        self._recent.clear()

    def _forget_what_changed_unheard(self) -> None:
        """Forget everything after a reconnection: no change was heard while there was none."""
        connections = self._client.stats["reconnects"]
        if connections != self._connections:
            self._connections = connections
            self.forget()

    async def _from_store(
        self, tenant: TenantId, response_id: ResponseId, reader: OwnerId | None
    ) -> HistoryTurn:
        past: HistoryTurn | None = None
        changes = self._changes
        for turn in await self._lineage(tenant, response_id, reader):
            past = past_of(turn, past)
            if changes == self._changes:
                self._keep(tenant, past)
        if past is None or past.response_id != response_id:
            raise TurnFailedError(previous_not_found(response_id))
        return past

    def _keep(self, tenant: TenantId, past: HistoryTurn) -> None:
        former = self._recent.pop((tenant, past.response_id), None)
        self._bytes += _size(past) - (_size(former) if former else 0)
        self._recent[tenant, past.response_id] = past
        while self._bytes > self._most_bytes and self._recent:
            _, dropped = self._recent.popitem(last=False)
            self._bytes -= _size(dropped)

    async def _lineage(
        self, tenant: TenantId, response_id: ResponseId, reader: OwnerId | None
    ) -> list[ClosedTurn]:
        """Ask for page after page, newest first; give all turns oldest first."""
        pages: list[list[ClosedTurn]] = []
        newest_missing: ResponseId | None = response_id
        while newest_missing is not None:
            page = await self._page(tenant, newest_missing, reader)
            pages.append(page.turns)
            newest_missing = page.before
        return [turn for page in reversed(pages) for turn in page]

    async def _page(
        self, tenant: TenantId, response_id: ResponseId, reader: OwnerId | None
    ) -> History:
        question = AskForHistory(tenant, response_id)
        try:
            answer = await ask_patiently(
                self._client, STORE_HISTORY, question, _ASK_TIMEOUT_S, self._patience_s
            )
        except UnansweredQueryError as error:
            raise TurnFailedError(failures.store_unavailable()) from error
        match answer:
            case History():
                return answer
            case Running(request) if reader in (None, request.owner):
                raise TurnFailedError(previous_in_progress(response_id))
            case Running() | Missing():
                raise TurnFailedError(previous_not_found(response_id))


def _size(past: HistoryTurn) -> int:
    return len(past.encoded) + _OVERHEAD_BYTES
