"""What is done to turns from outside: cancel, delete, restore, erase, take an item out."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from turnwire_chassis.event_log import FencedError, LogUnavailableError, Recorded
from turnwire_contracts.event_kinds import VERSIONS
from turnwire_contracts.events import (
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
from turnwire_contracts.turn import fold
from turnwire_contracts.turn_state import ClosedTurn, Sampling, Screening
from turnwire_contracts.wire.frames import FrameMessage
from turnwire_gateway.api.frames.backfill import Logs
from turnwire_gateway.errors import not_kept, unavailable

_LOOK_AFTER_S = 0.5
_CANCEL_WITHIN_S = 10.0

EventT = TypeVar("EventT", bound=AnyEvent)


class TurnCommands:
    """Appends what is wanted of turns; each command may be repeated without harm."""

    def __init__(self, logs: Logs, now_ms: Callable[[], int]) -> None:
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
        """Delete a turn that has ended; it can be restored."""
        about = self._about(tenant, response_id, cause, Deleted)
        await self._append(Deleted(**about, with_conversation=with_conversation))

    async def restore(self, tenant: TenantId, response_id: ResponseId, cause: str) -> None:
        """Restore a turn that was deleted."""
        await self._append(Restored(**self._about(tenant, response_id, cause, Restored)))

    async def purge(
        self,
        tenant: TenantId,
        response_id: ResponseId,
        cause: str,
        *,
        parent: ResponseId | None = None,
    ) -> None:
        """Have a turn erased for ever; its frames go at once, its events when the store reads it.

        Turns after it continue its `parent`.
        """
        about = self._about(tenant, response_id, cause, Purged)
        await self._append(Purged(**about, previous_response_id=parent))
        await self._logs.output.forget(TurnKey(tenant, response_id))

    async def remove_item(
        self, tenant: TenantId, response_id: ResponseId, item_id: ItemId, cause: str
    ) -> None:
        """Take an item out of its conversation."""
        about = self._about(tenant, response_id, cause, ItemRemoved)
        await self._append(ItemRemoved(**about, item_id=item_id))

    async def cancel(self, request: Requested, cause: str) -> ClosedTurn | None:
        """Cancel a turn that runs, and give its end; `None` if it does not end within ten seconds.

        One that no orchestrator has taken yet is closed here: it may wait in the queue for long.
        """
        ended = asyncio.Event()

        def on_frame(message: FrameMessage) -> None:
            if message.kind != "F":
                ended.set()

        watch = await self._logs.output.watch(request.turn_key, on_frame)
        try:
            if (turn := await self._close_unless_started(request, cause)) is not None:
                return turn
            about = self._about(request.tenant, request.response_id, cause, CancelRequested)
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
        about = self._about(request.tenant, request.response_id, cause, Closed)
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
            raise unavailable("event_log_unavailable") from error

    def _about(
        self, tenant: TenantId, response_id: ResponseId, cause: str, event: type[AnyEvent]
    ) -> JSON:
        return {
            "v": VERSIONS[event],
            "tenant": tenant,
            "response_id": response_id,
            "at": self._now_ms(),
            "cause": cause,
        }

    async def _append(self, event: AnyEvent, expected: int | None = None) -> None:
        try:
            await self._logs.events.append(event, expected)
        except LogUnavailableError as error:
            raise not_kept(error) from error
