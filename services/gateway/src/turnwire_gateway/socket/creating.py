"""From a create to the events of its turn, and what the connection remembers of it."""

from collections.abc import Awaitable, Callable

import orjson

from turnwire_contracts.events import Requested
from turnwire_gateway.answers.errors import ApiError
from turnwire_gateway.answers.feed import Answer, Chunk, Feed
from turnwire_gateway.identity import Caller
from turnwire_gateway.socket.memory import Memory, continued, remembered
from turnwire_gateway.socket.messages import (
    Create,
    Event,
    error_message,
    event_message,
    events_of,
)
from turnwire_gateway.socket.ports import SocketPorts
from turnwire_gateway.socket.warm_up import frames_of, warm_up
from turnwire_gateway.telemetry import create_span

_ENDED_WELL = {b"response.completed", b"response.incomplete"}
_ENDED_BADLY = {b"response.failed", b"error"}

Say = Callable[[bytes], Awaitable[None]]
"""Sends one message; raises `GoneError`."""


class GoneError(Exception):
    """The client has left."""


class Creator:
    """Runs the creates of one connection."""

    def __init__(
        self, ports: SocketPorts, caller: Caller, say: Say, application: str | None
    ) -> None:
        """Remember no turn yet; the guard judges all turns by the policy of `application`."""
        self._ports = ports
        self._application = application
        self._caller = caller
        self._say = say
        self._feeds: set[Feed] = set()
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
        visit = self._ports.visit(self._caller)
        try:
            request = self._read(create, request_id)
            if create.generate:
                request = await visit.create(request)
                request = await self._ports.admit(self._caller, request)
                await self._stream(request, create)
            else:
                await self._tell(events_of(frames_of(request)), request, create)
        except ApiError as error:
            await self.refuse(error, create)
        finally:
            visit.leave()

    async def refuse(self, error: ApiError, create: Create) -> None:
        """Say why a create has come to nothing; raises `GoneError`."""
        await self._refuse(error.failure.http_status, orjson.dumps(error.body), create)

    def _read(self, create: Create, request_id: str) -> Requested:
        request = self._ports.read(create.fields, self._caller, request_id, self._application)
        before = self._memory.find(request.previous_response_id)
        if before is not None:
            request = continued(request, before, inherit=self._ports.inherit)
        return request if create.generate else warm_up(request)

    async def _stream(self, request: Requested, create: Create) -> None:
        turns = self._ports.turns
        feed = await turns.begin_stream(request)
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
            if isinstance(part, Answer):
                ended = True
                await self._refuse(part.status, part.body, create)
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
