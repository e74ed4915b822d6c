"""`/v1/responses/{response_id}/events`: what the log has of a turn, event by event, also live."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import msgspec
import orjson
import structlog
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from turnwire_chassis.event_log import EventLog, LogUnavailableError, Recorded
from turnwire_contracts.codec import UnreadableEventError
from turnwire_contracts.event_kinds import kind_of
from turnwire_contracts.ids import TurnKey
from turnwire_contracts.json_values import JSON
from turnwire_contracts.turn import ImpossibleEventError, evolve
from turnwire_contracts.turn_state import ClosedTurn, Erased, NotRequested, Turn
from turnwire_contracts.wire.frames import DONE, KEEP_ALIVE
from turnwire_gateway.api.inspecting.turn_log import TurnLog, shown
from turnwire_gateway.api.request_context import answered, quota
from turnwire_gateway.api.requests.paging import (
    DEFAULT_LIMIT,
    LARGEST_NUMBER,
    MOST,
    flag,
    whole_number,
)
from turnwire_gateway.api.responses import ResponsePorts
from turnwire_gateway.api.stream_parts import broken_off, handed_over

log = structlog.get_logger()

_LOOK_AGAIN_S: Final = 0.5
"""How often the log is read while a turn runs. Nothing is subscribed to: few read this route."""

_QUIET_LOOKS: Final = 20
"""After so many looks without an event, a comment keeps the connection alive."""

_OWNERS: Final = 2
"""A turn that another owner takes over in its last moment has its whole time again."""

_OVERTIME_S: Final = 30.0
"""How much longer than its time limits a turn is followed."""

_SSE_HEADERS: Final = {"cache-control": "no-cache", "x-accel-buffering": "no"}


class TurnEventHandlers:
    """The route of a turn's events."""

    def __init__(self, ports: ResponsePorts, log: EventLog, background_timeout_s: float) -> None:
        """`background_timeout_s`: how long a background turn may take."""
        self._ports = ports
        self._log = log
        self._turn_log = TurnLog(ports, log)
        foreground_s = _OWNERS * ports.turns.limits.turn_timeout_s
        self._follows_s = max(foreground_s, background_timeout_s) + _OVERTIME_S

    async def events(self, request: Request) -> Response:
        """`GET /v1/responses/{response_id}/events`, as a list or live."""
        query = request.query_params
        after = whole_number(query, "after", 0, (0, LARGEST_NUMBER))
        limit = whole_number(query, "limit", DEFAULT_LIMIT, (1, MOST))
        live = flag(query, "stream")
        turn, recorded = await self._turn_log.read(request)
        if live:
            await quota(request).acquire_stream()
            stream = self._live(turn, recorded, after)
            return StreamingResponse(stream, 200, _SSE_HEADERS, "text/event-stream")
        following = [each for each in recorded if each.sequence > after]
        page = following[:limit]
        data = [event_object(each) for each in page]
        return answered(
            {
                "object": "list",
                "data": data,
                "last_sequence": page[-1].sequence if page else after,
                "has_more": len(following) > limit,
            }
        )

    async def _live(
        self, turn: TurnKey, recorded: list[Recorded], after: int
    ) -> AsyncIterator[bytes]:
        """Give events as they are appended, until the turn has ended or this process stops."""
        sequence = 0
        try:
            async for last, part in self._followed(turn, recorded, after):
                sequence = last
                yield part
        except (UnreadableEventError, ImpossibleEventError):
            log.exception("turn cannot be read", response_id=turn.response_id)
            yield broken_off(sequence, "an event of it cannot be read by this gateway").body

    async def _followed(
        self, turn: TurnKey, recorded: list[Recorded], after: int
    ) -> AsyncIterator[tuple[int, bytes]]:
        """Give what is to be sent, each with the sequence of the last event that it tells.

        A turn that nothing drives any more has no end: it is followed for as long as any may take.
        Raises `ImpossibleEventError`, `UnreadableEventError`.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + self._follows_s
        state: Turn = NotRequested()
        quiet = last = 0
        while True:
            for each in recorded:
                state, last = evolve(state, each.event), each.sequence
                if last > after:
                    yield last, _sse(each)
            if isinstance(state, ClosedTurn | Erased):
                yield last, DONE
                return
            quiet = 0 if recorded else quiet + 1
            if quiet == _QUIET_LOOKS:
                quiet = 0
                yield last, KEEP_ALIVE
            if self._ports.turns.is_handing_over:
                yield last, handed_over(last, "after").body
                return
            if loop.time() >= until:
                yield last, broken_off(last, "the response has not ended in time").body
                return
            await asyncio.sleep(_LOOK_AGAIN_S)
            try:
                recorded = await self._log.read(*turn, last)
            except LogUnavailableError:
                # The reader keeps its stream while the broker elects or restarts.
                recorded = []


def event_object(recorded: Recorded) -> JSON:
    """Write an event for its reader: what it says, without what is secret."""
    event = recorded.event
    fields: JSON = msgspec.to_builtins(event)
    return {
        "object": "response.event",
        "sequence": recorded.sequence,
        "type": kind_of(event),
        "version": event.v,
        "created_at": event.at / 1000,
        "cause": event.cause,
        "data": shown(fields),
    }


def _sse(recorded: Recorded) -> bytes:
    written = event_object(recorded)
    head = f"id: {recorded.sequence}\nevent: {written['type']}\ndata: ".encode()
    return head + orjson.dumps(written) + b"\n\n"
