"""One WebSocket: creates wait in lanes, one runs in each; the client's leaving ends them all."""

import asyncio
from collections import deque

import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect

from turnwire_contracts.errors.catalogue import failure
from turnwire_gateway.api.error_responses import error_response
from turnwire_gateway.api.request_context import application, object_of
from turnwire_gateway.api.websocket.create_runner import CreateRunner, GoneError
from turnwire_gateway.api.websocket.messages import Create, create_of, error_message, stream_id_of
from turnwire_gateway.api.websocket.ports import SocketPorts
from turnwire_gateway.auth.caller import Caller
from turnwire_gateway.errors import ApiError, internal_error

log = structlog.get_logger()

Lane = deque[Create]
"""What waits behind the create that runs."""


class SocketConnection:
    """A client's creates. Those of one lane follow one another, lanes run side by side."""

    def __init__(self, websocket: WebSocket, ports: SocketPorts, caller: Caller) -> None:
        """`websocket` is accepted."""
        self._websocket = websocket
        self._limits = ports.limits
        self._runner = CreateRunner(ports, caller, self._say, websocket.state.application)
        self._sizes = ports.quota(caller).sizes
        self._request_id: str = websocket.state.request_id
        self._count = 0
        self._lanes: dict[str | None, Lane] = {}
        self._working: set[asyncio.Task[None]] = set()
        self._is_too_old = False

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
            self._runner.leave()
            await asyncio.gather(*self._working, ageing, return_exceptions=True)

    async def _take(self, text: str | bytes) -> None:
        stream_id = None
        try:
            message = object_of(text.encode() if isinstance(text, str) else text, self._sizes)
            stream_id = stream_id_of(message)
            self._queue(create_of(message, stream_id))
        except ApiError as error:
            await self._say(error_message(error.failure.http_status, error.body, stream_id))

    def _queue(self, create: Create) -> None:
        if self._is_too_old:
            raise _too_old(self._limits.lifetime_s)
        lane = self._lanes.get(create.stream_id)
        if lane is None:
            if len(self._lanes) >= self._limits.most_lanes:
                raise _too_many_lanes(self._limits.most_lanes)
            self._open(create)
        elif sum(map(len, self._lanes.values())) >= self._limits.most_waiting:
            raise _too_many_waiting(self._limits.most_waiting)
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
            # The client does not hear of the rest either.
            lane.clear()
        finally:
            del self._lanes[stream_id]

    async def _run(self, create: Create) -> None:
        if self._is_too_old:
            await self._runner.refuse(_too_old(self._limits.lifetime_s), create)
            return
        self._count += 1
        request_id = f"{self._request_id}.{self._count}"
        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            await self._runner.run(create, request_id)
        except GoneError:
            raise
        except Exception:
            log.exception("create failed")
            await self._runner.refuse(internal_error(), create)

    async def _grow_old(self) -> None:
        """Begin nothing new after the time is up; what runs may end, then the connection does."""
        await asyncio.sleep(self._limits.lifetime_s)
        self._is_too_old = True
        while self._working:
            await asyncio.wait(self._working)
        error = _too_old(self._limits.lifetime_s)
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


class SocketHandlers:
    """What the API does on WebSockets."""

    def __init__(self, ports: SocketPorts) -> None:
        self._ports = ports

    async def connect(self, websocket: WebSocket) -> None:
        """`GET /v1/responses` with an upgrade."""
        try:
            websocket.state.application = application(websocket.headers)
        except ApiError as error:
            await websocket.send_denial_response(error_response(error))
            return
        await websocket.accept()
        await SocketConnection(websocket, self._ports, websocket.state.caller).run()


def _too_old(seconds: float) -> ApiError:
    """The connection has reached its age; a new one may go on."""
    return ApiError(failure("websocket_connection_limit_reached", minutes=seconds / 60))


def _too_many_waiting(most: int) -> ApiError:
    """More creates wait than a connection may have."""
    return ApiError(failure("websocket_queue_full", most=most))


def _too_many_lanes(most: int) -> ApiError:
    """More lanes are busy than a connection may have."""
    return ApiError(failure("websocket_too_many_lanes", most=most))
