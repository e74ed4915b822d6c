"""From a create to the events of its turn, and what the connection remembers of it."""

from collections.abc import Awaitable, Callable

import orjson
from msgspec.structs import replace

from turnwire_contracts.event_kinds import VERSIONS
from turnwire_contracts.events import Closed, Requested, TurnUsage
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.wire.stream import stream_of
from turnwire_gateway.admission.admission import Admitted
from turnwire_gateway.api.feed import FrameFeed
from turnwire_gateway.api.stream_parts import Chunk, EarlyResponse
from turnwire_gateway.api.telemetry import create_span
from turnwire_gateway.api.websocket.memory import Memory, continued, remembered
from turnwire_gateway.api.websocket.messages import (
    Create,
    Event,
    error_message,
    event_message,
    events_of,
)
from turnwire_gateway.api.websocket.ports import SocketPorts
from turnwire_gateway.auth.caller import Caller
from turnwire_gateway.errors import ApiError, gateway_stopping

_ENDED_WELL = {b"response.completed", b"response.incomplete"}
_ENDED_BADLY = {b"response.failed", b"error"}

Say = Callable[[bytes], Awaitable[None]]
"""Sends one message; raises `GoneError`."""


class GoneError(Exception):
    """The client has left."""


class CreateRunner:
    """Runs the creates of one connection."""

    def __init__(
        self, ports: SocketPorts, caller: Caller, say: Say, application: str | None
    ) -> None:
        """`application`: by whose policy the guard judges all turns."""
        self._ports = ports
        self._application = application
        self._caller = caller
        self._say = say
        self._feeds: set[FrameFeed] = set()
        self._left = False
        # Twice the largest create: whatever came in can be continued.
        most_bytes = 2 * ports.turns.limits.max_body_bytes
        self._memory = Memory(ports.limits.most_turns, most_bytes)

    def leave(self) -> None:
        """Stop reading: the client has gone."""
        self._left = True
        for feed in self._feeds:
            feed.leave()

    async def run(self, create: Create, request_id: str) -> None:
        """Run one create to its end, or to its error; raises `GoneError`."""
        with create_span():
            await self._run(create, request_id)

    async def _run(self, create: Create, request_id: str) -> None:
        quota = self._ports.quota(self._caller)
        try:
            request = self._read(create, request_id)
            if create.generate:
                self._ports.turns.queues.check(request.tenant)
                request = await quota.acquire_turn(request)
                admitted = await self._ports.admit(self._caller, request)
                await self._stream(admitted, create)
            else:
                await self._tell(events_of(_warm_up_frames(request)), request, create)
        except ApiError as error:
            await self.refuse(error, create)
        finally:
            quota.release()

    async def refuse(self, error: ApiError, create: Create) -> None:
        """Say why a create has come to nothing; raises `GoneError`."""
        await self._refuse(error.failure.http_status, orjson.dumps(error.body), create)

    def _read(self, create: Create, request_id: str) -> Requested:
        request = self._ports.read(create.fields, self._caller, request_id, self._application)
        previous = self._memory.find(request.previous_response_id)
        if previous is not None:
            request = continued(request, previous, inherit=self._ports.inherit)
        # A warm-up is never stored, whatever it says: only the connection knows of it.
        return request if create.generate else replace(request, store=False)

    async def _stream(self, admitted: Admitted, create: Create) -> None:
        request, turns = admitted.request, self._ports.turns
        feed = await turns.begin_stream(admitted)
        self._feeds.add(feed)
        if self._left:
            feed.leave()
        ended = begun = False
        try:
            part = await feed.read()
            while isinstance(part, Chunk):
                ended = part.last
                events = events_of(part.body)
                begun = begun or bool(events)
                await self._tell(events, request, create)
                part = None if ended else await feed.read()
            if isinstance(part, EarlyResponse):
                ended = True
                await self._refuse(part.status, part.body, create)
            elif feed.handed_over and not ended and not self._left:
                await self.refuse(gateway_stopping(request.response_id), create)
        finally:
            self._feeds.discard(feed)
            await turns.end_stream(feed, ended=ended, begun=begun)

    async def _tell(self, events: list[Event], request: Requested, create: Create) -> None:
        for event in events:
            if event.name in _ENDED_WELL and not request.store:
                self._memory.keep(remembered(request, orjson.loads(event.data)["response"]))
            elif event.name in _ENDED_BADLY:
                self._memory.forget(create.previous)
            await self._say(event_message(event, create.stream_id))

    async def _refuse(self, status: int, envelope: bytes, create: Create) -> None:
        # Open Responses: what could not be continued is not kept for another attempt.
        self._memory.forget(create.previous)
        await self._say(error_message(status, orjson.loads(envelope), create.stream_id))


def _warm_up_frames(request: Requested) -> bytes:
    """Write the stream of a warm-up (`generate: false`), which asks no model.

    OpenAI: such a response has an id that the next create may continue, and no output.
    """
    end = Closed(
        v=VERSIONS[Closed],
        tenant=request.tenant,
        response_id=request.response_id,
        at=request.at,
        cause=request.cause,
        status="completed",
        usage=TurnUsage(),
    )
    return b"".join(stream_of(ClosedTurn(request, end)))
