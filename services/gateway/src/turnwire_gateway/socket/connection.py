"""One WebSocket: creates wait in lanes, one runs in each; the client's leaving ends them all."""

import asyncio
from collections import deque

import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect

from turnwire_gateway.answers.errors import ApiError, internal_error
from turnwire_gateway.identity import Caller
from turnwire_gateway.socket.creating import Creator, GoneError
from turnwire_gateway.socket.messages import Create, create_of, error_message, stream_id_of
from turnwire_gateway.socket.ports import SocketPorts
from turnwire_gateway.socket.refusals import (
    connection_too_old,
    too_many_lanes,
    too_many_waiting,
)

log = structlog.get_logger()

Lane = deque[Create]
"""What waits behind the create that runs."""


class Connection:
    """A client's creates. Those of one lane follow one another, lanes run side by side."""

    def __init__(self, websocket: WebSocket, ports: SocketPorts, caller: Caller) -> None:
        """Stand on an accepted WebSocket."""
        self._websocket = websocket
        self._limits = ports.limits
        self._creator = Creator(ports, caller, self._say, websocket.state.application)
        self._sizes = ports.visit(caller).sizes
        self._request_id: str = websocket.state.request_id
        self._count = 0
        self._lanes: dict[str | None, Lane] = {}
        self._working: set[asyncio.Task[None]] = set()
        self._too_old = False

    async def run(self) -> None:
        """Serve until the client leaves or the connection is too old."""
        ageing = asyncio.create_task(self._grow_old())
        try:
            while (message := await self._websocket.receive())["type"] == "websocket.receive":
                await self._take(message.get("text") or message.get("bytes") or "")
        except GoneError:
            pass
        finally:
            ageing.cancel()
            for lane in self._lanes.values():
                lane.clear()
            self._creator.leave()
            await asyncio.gather(*self._working, ageing, return_exceptions=True)

    async def _take(self, text: str | bytes) -> None:
        stream_id = None
        try:
            message = self._sizes.object_of(text.encode() if isinstance(text, str) else text)
            stream_id = stream_id_of(message)
            self._queue(create_of(message, stream_id))
        except ApiError as error:
            await self._say(error_message(error.failure.http_status, error.body, stream_id))

    def _queue(self, create: Create) -> None:
        if self._too_old:
            raise connection_too_old(self._limits.lifetime_s)
        lane = self._lanes.get(create.stream_id)
        if lane is None:
            if len(self._lanes) >= self._limits.most_lanes:
                raise too_many_lanes(self._limits.most_lanes)
            self._open(create)
        elif sum(map(len, self._lanes.values())) >= self._limits.most_waiting:
            raise too_many_waiting(self._limits.most_waiting)
        else:
            lane.append(create)

    def _open(self, create: Create) -> None:
        lane = self._lanes[create.stream_id] = deque([create])
        task = asyncio.create_task(self._work(create.stream_id, lane))
        self._working.add(task)
        task.add_done_callback(self._working.discard)

    async def _work(self, stream_id: str | None, lane: Lane) -> None:
        try:
            while lane:
                await self._run(lane.popleft())
        except GoneError:
            # Nobody is there to hear of the rest either.
            lane.clear()
        finally:
            del self._lanes[stream_id]

    async def _run(self, create: Create) -> None:
        if self._too_old:
            await self._creator.refuse(connection_too_old(self._limits.lifetime_s), create)
            return
        self._count += 1
        request_id = f"{self._request_id}.{self._count}"
        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            await self._creator.run(create, request_id)
        except GoneError:
            raise
        except Exception:
            log.exception("create failed")
            await self._creator.refuse(internal_error(), create)

    async def _grow_old(self) -> None:
        """Begin nothing new after the time is up; what runs may end, then the connection does."""
        await asyncio.sleep(self._limits.lifetime_s)
        self._too_old = True
        while self._working:
            await asyncio.wait(self._working)
        error = connection_too_old(self._limits.lifetime_s)
        try:
            await self._say(error_message(error.failure.http_status, error.body, None))
            await self._websocket.close(1000, error.failure.code)
        except (GoneError, WebSocketDisconnect, RuntimeError):
            log.debug("client left before its connection was closed")

    async def _say(self, message: bytes) -> None:
        try:
            await self._websocket.send_text(message.decode())
        except (WebSocketDisconnect, RuntimeError) as error:
            # Starlette and uvicorn each have an error for "too late".
            raise GoneError from error
