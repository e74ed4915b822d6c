"""Purges one turn: an operator erases it, or its time is over."""

from collections.abc import Callable
from typing import Literal

from turnwire_chassis.event_log import EventLog
from turnwire_chassis.output_log import OutputLog
from turnwire_contracts.codec import UnreadableEventError
from turnwire_contracts.event_kinds import VERSIONS
from turnwire_contracts.events import CancelRequested, ItemsAdded, Purged, Requested
from turnwire_contracts.ids import ResponseId, TenantId, TurnKey
from turnwire_contracts.json_values import JSON
from turnwire_contracts.turn import ImpossibleEventError, fold
from turnwire_contracts.turn_state import NotRequested, RefusedByGuard, Sampling, Screening

Done = Literal["purged", "purged before", "running"]


class Purge:
    """Appends what makes the projection erase a turn."""

    def __init__(
        self, log: EventLog, output: OutputLog, now_ms: Callable[[], int], cause: str
    ) -> None:
        """`cause` says in the log why."""
        self._log = log
        self._output = output
        self._now_ms = now_ms
        self._cause = cause

    async def turn(self, tenant: TenantId, response_id: ResponseId) -> Done:
        """Purge a turn, or cancel it if it runs; raises `LogUnavailableError`."""
        about: JSON = {
            "tenant": tenant,
            "response_id": response_id,
            "at": self._now_ms(),
            "cause": self._cause,
        }
        try:
            events = [each.event for each in await self._log.read(tenant, response_id)]
            turn = fold(events)
        except (UnreadableEventError, ImpossibleEventError):
            events, turn = [], NotRequested()
        if any(isinstance(event, Purged) for event in events):
            # The projection is about to erase it.
            return "purged before"
        if isinstance(turn, Screening | Sampling | RefusedByGuard):
            if not isinstance(events[-1], CancelRequested):
                v = VERSIONS[CancelRequested]
                await self._log.append(CancelRequested(v=v, **about, reason="asked"), None)
            return "running"
        parents = [one for one in events if isinstance(one, Requested | ItemsAdded)]
        parent = parents[0].previous_response_id if parents else None
        purged = Purged(v=VERSIONS[Purged], **about, previous_response_id=parent)
        await self._log.append(purged, None)
        await self._output.forget(TurnKey(tenant, response_id))
        return "purged"
