"""What is done to turns from outside: cancel, delete, restore, erase, take an item out."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from turnwire_chassis.event_log import FencedError, LogUnavailableError, Recorded
from turnwire_contracts.events import (
    VERSIONS,
    AnyEvent,
    CancelRequested,
    Closed,
    Deleted,
    ItemRemoved,
    Purged,
    Requested,
    Restored,
)
from turnwire_contracts.ids import ItemId, ResponseId, TenantId, TurnKey
from turnwire_contracts.json_values import JSON
from turnwire_contracts.turn import ClosedTurn, Sampling, Screening, fold
from turnwire_contracts.wire.frames import FrameMessage
from turnwire_gateway.answers.errors import unavailable
from turnwire_gateway.answers.feed import Logs

_LOOK_AFTER_S = 0.5
_CANCEL_WITHIN_S = 10.0

EventT = TypeVar("EventT", bound=AnyEvent)


class Changes:
    """Appends wishes about turns; each may be repeated without harm."""

    def __init__(self, logs: Logs, now_ms: Callable[[], int]) -> None:
        """Append to `logs.events`."""
        self._logs = logs
        self._now_ms = now_ms

    async def delete(
        self,
        tenant: TenantId,
        response_id: ResponseId,
        cause: str,
        *,
        with_conversation: bool = False,
    ) -> None:
        """Put a turn that has ended away."""
        about = self._about(tenant, response_id, cause, "deleted")
        await self._append(Deleted(**about, with_conversation=with_conversation))

    async def restore(self, tenant: TenantId, response_id: ResponseId, cause: str) -> None:
        """Bring a turn back that was put away."""
        await self._append(Restored(**self._about(tenant, response_id, cause, "restored")))

    async def purge(
        self,
        tenant: TenantId,
        response_id: ResponseId,
        cause: str,
        *,
        parent: ResponseId | None = None,
    ) -> None:
        """Have a turn erased for ever; its frames go at once, its events when the store hears.

        Turns behind it go on with what its `parent` knows.
        """
        about = self._about(tenant, response_id, cause, "purged")
        await self._append(Purged(**about, previous_response_id=parent))
        await self._logs.output.forget(TurnKey(tenant, response_id))

    async def remove_item(
        self, tenant: TenantId, response_id: ResponseId, item_id: ItemId, cause: str
    ) -> None:
        """Take an item out of its conversation."""
        about = self._about(tenant, response_id, cause, "item_removed")
        await self._append(ItemRemoved(**about, item_id=item_id))

    async def cancel(self, request: Requested, cause: str) -> ClosedTurn | None:
        """Cancel a turn that runs, and give its end; `None` if that does not come in time.

        One that no orchestrator has taken yet is closed here: it may wait in the queue for long.
        """
        ended = asyncio.Event()

        def heard(message: FrameMessage) -> None:
            if message.kind != "F":
                ended.set()

        watch = await self._logs.output.watch(request.turn_key, heard)
        try:
            if (turn := await self._close_unless_started(request, cause)) is not None:
                return turn
            about = self._about(request.tenant, request.response_id, cause, "cancel_requested")
            await self._append(CancelRequested(**about, reason="asked"))
            return await self._end(request, ended)
        finally:
            await watch.stop()

    async def _end(self, request: Requested, ended: asyncio.Event) -> ClosedTurn | None:
        until = asyncio.get_running_loop().time() + _CANCEL_WITHIN_S
        while True:
            turn = fold([each.event for each in await self._recorded(request)])
            if isinstance(turn, ClosedTurn):
                return turn
            if asyncio.get_running_loop().time() > until:
                return None
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_AFTER_S):
                    await ended.wait()
            ended.clear()

    async def _close_unless_started(self, request: Requested, cause: str) -> ClosedTurn | None:
        recorded = await self._recorded(request)
        turn = fold([each.event for each in recorded])
        if not isinstance(turn, Screening | Sampling) or turn.started:
            return turn if isinstance(turn, ClosedTurn) else None
        about = self._about(request.tenant, request.response_id, cause, "closed")
        closed = Closed(**about, status="cancelled")
        try:
            await self._append(closed, recorded[-1].sequence)
        except FencedError:
            return None
        return ClosedTurn(request, closed)

    async def _recorded(self, request: Requested) -> list[Recorded]:
        try:
            return await self._logs.events.read(request.tenant, request.response_id)
        except LogUnavailableError as error:
            raise unavailable("event log") from error

    def _about(self, tenant: TenantId, response_id: ResponseId, cause: str, kind: str) -> JSON:
        return {
            "v": VERSIONS[kind],
            "tenant": tenant,
            "response_id": response_id,
            "at": self._now_ms(),
            "cause": cause,
        }

    async def _append(self, event: AnyEvent, expected: int | None = None) -> None:
        try:
            await self._logs.events.append(event, expected)
        except LogUnavailableError as error:
            raise unavailable("event log") from error
