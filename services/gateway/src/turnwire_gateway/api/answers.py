"""A turn's answer as an HTTP response: whole, or as a stream of frames; ready bytes."""

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from turnwire_chassis.crash_points import reached
from turnwire_chassis.http.framing import WritePart, write_of
from turnwire_chassis.telemetry import metrics
from turnwire_contracts.turn_state import ClosedTurn, failure_of
from turnwire_contracts.wire.compaction import answer_object
from turnwire_gateway.api.feed import FrameFeed
from turnwire_gateway.api.stream_parts import (
    Chunk,
    EarlyResponse,
    broken_off,
    early_failure,
    handed_over,
)
from turnwire_gateway.errors import gateway_stopping

_SSE_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]
_JSON_HEADERS = [(b"content-type", b"application/json")]
_ACCEPTED = (b"x-should-retry", b"false")
_CLIENT_ERROR = 400
_SERVER_ERROR = 500
_CLIENT_CLOSED_REQUEST = 499


class WriteTimes:
    """The times of one stream's writes: noted while it runs, observed when it ends."""

    def __init__(self, scope: Scope) -> None:
        """The request's arrival is in the scope if it passed `TelemetryMiddleware`."""
        self._method: str = scope.get("method", "")
        self._arrived: float = scope.get("state", {}).get("arrived") or perf_counter()
        self._first = self._last = self._longest = 0.0
        self._writes = 0

    def wrote(self) -> None:
        """Note a write; called for every frame, so it does next to nothing."""
        now = perf_counter()
        if not self._writes:
            self._first = now
        elif now - self._last > self._longest:
            self._longest = now - self._last
        self._last = now
        self._writes += 1

    def ended(self) -> None:
        """Observe the times as metrics."""
        if self._writes:
            metrics.FIRST_FRAME(self._method).observe(self._first - self._arrived)
        if self._writes > 1:
            mean = (self._last - self._first) / (self._writes - 1)
            metrics.FRAME_INTERVAL().observe(mean)
            metrics.LONGEST_PAUSE().observe(self._longest)


Ended = Callable[[bool, bool], Awaitable[None]]
"""Called at last with whether the stream reached its end, and whether any frame was sent."""


class FrameStream(Response):
    """Sends a feed; a turn that ends before its first frame is answered with plain JSON."""

    def __init__(self, feed: FrameFeed, ended: Ended) -> None:
        """Call `ended` when all is sent or the client has gone."""
        super().__init__()
        self._feed = feed
        self._ended = ended
        # A background stream may be cut off long before its first frame: its client needs the id.
        self._name = (b"x-response-id", feed.turn.response_id.encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send (ASGI)."""
        pace = WriteTimes(scope)
        listening = asyncio.create_task(self._listen(receive))
        ended = begun = False
        try:
            part = await self._feed.read()
            while isinstance(part, Chunk):
                if not begun:
                    await send(_start(200, [*_SSE_HEADERS, self._name]))
                    begun = True
                    self._forward(write_of(scope), pace)
                ended = part.last
                reached("forward.before", "last" if ended else "")
                await send(_body(part.body, more=not ended))
                reached("forward.after", "last" if ended else "")
                pace.wrote()
                part = None if ended else await self._feed.read()
            if isinstance(part, EarlyResponse):
                ended = not self._feed.handed_over
                begun = not ended
                await send_answer(part, send)
            elif self._feed.handed_over and not ended and not self._feed.left:
                await self._hand_over(send, begun=begun)
                begun = True
        except Exception:
            # Logged with its answer, which is too late: a reader must not take this for the end.
            if begun and not ended:
                broken = broken_off(self._feed.next_number, "this gateway has a fault")
                await send(_body(broken.body, more=False))
            raise
        finally:
            listening.cancel()
            pace.ended()
            await self._ended(ended, begun)

    async def _hand_over(self, send: Send, *, begun: bool) -> None:
        if begun:
            end = handed_over(self._feed.next_number - 1, "starting_after")
            await send(_body(end.body, more=False))
        else:
            stopping = gateway_stopping(self._feed.turn.response_id)
            await send_answer(early_failure(stopping.failure), send)

    def _forward(self, write: WritePart | None, pace: WriteTimes) -> None:
        """Let frames leave as they come, where the server can write at once."""
        if write is None:
            return

        def forward(body: bytes) -> bool:
            reached("forward.before", "")
            has_left = write(body)
            if has_left:
                reached("forward.after", "")
                pace.wrote()
            return has_left

        self._feed.forward_by(forward)

    async def _listen(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._feed.leave()


class PlainAnswer(Response):
    """Sends an answer that is ready as bytes."""

    def __init__(self, answer: EarlyResponse) -> None:
        super().__init__()
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send (ASGI)."""
        del scope, receive
        reached("answer.before")
        await send_answer(self._answer, send)


def answer_or_gone(answer: EarlyResponse | None) -> Response:
    """Send an answer of a turn, or end a request whose client has left before it (nginx: 499)."""
    return Response(status_code=_CLIENT_CLOSED_REQUEST) if answer is None else PlainAnswer(answer)


async def gone(request: Request) -> None:
    """Return when the client has left."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def send_answer(answer: EarlyResponse, send: Send) -> None:
    """Send a plain answer of a turn that was accepted.

    OpenAI's SDKs repeat a request after a 5xx; the turn exists, so `x-should-retry` forbids
    it, unless the refusal has a known duration: then nothing was done, and they retry after it.
    They repeat some after a 4xx, too, which would bring a failure that is replayed once more.
    """
    length = (b"content-length", str(len(answer.body)).encode())
    headers = [*_JSON_HEADERS, length]
    if answer.retry_after_s:
        headers.append((b"retry-after", b"%d" % answer.retry_after_s))
    elif answer.status >= (_CLIENT_ERROR if answer.replayed else _SERVER_ERROR):
        headers.append(_ACCEPTED)
    await send(_start(answer.status, headers))
    await send(_body(answer.body, more=False))


def _start(status: int, headers: list[tuple[bytes, bytes]]) -> Message:
    return {"type": "http.response.start", "status": status, "headers": headers}


def _body(body: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


def answer_of(turn: object) -> EarlyResponse | None:
    """Give the answer that the log has, if it has one."""
    failure = failure_of(turn)
    if failure is not None:
        return early_failure(failure)
    if not isinstance(turn, ClosedTurn) or not turn.closed.stored:
        return None
    return EarlyResponse(200, orjson.dumps(answer_object(turn)))
