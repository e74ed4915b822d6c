"""A stream of frames as an HTTP response: ready bytes, with nothing in between."""

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from turnwire_chassis.telemetry import metrics
from turnwire_gateway.answers.feed import Answer, Chunk, Feed

_SSE_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]
_JSON_HEADERS = [(b"content-type", b"application/json")]
_ACCEPTED = (b"x-should-retry", b"false")
_HANDED_OVER = b": this server was stopped; go on with starting_after\n\n"
_SERVER_ERROR = 500


class Pace:
    """The times of one stream's writes: noted while it runs, told when it ends."""

    def __init__(self, scope: Scope) -> None:
        """Of the request, its arrival is known if it came by the middleware."""
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
        """Tell it."""
        if self._writes:
            metrics.FIRST_FRAME(self._method).observe(self._first - self._arrived)
        if self._writes > 1:
            mean = (self._last - self._first) / (self._writes - 1)
            metrics.FRAME_INTERVAL().observe(mean)
            metrics.LONGEST_PAUSE().observe(self._longest)


Ended = Callable[[bool, bool], Awaitable[None]]
"""Is told at last: whether the stream reached its end, and whether any frame was sent."""


class FrameStream(Response):
    """Sends a feed; a turn that ends before its first frame is answered with plain JSON."""

    def __init__(self, feed: Feed, ended: Ended) -> None:
        """Call `ended` when all is sent or the client has gone."""
        super().__init__()
        self._feed = feed
        self._ended = ended
        # A background stream's first frame may be long in coming; who is cut off needs the id.
        self._name = (b"x-response-id", feed.turn.response_id.encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send (ASGI)."""
        pace = Pace(scope)
        listening = asyncio.create_task(self._listen(receive))
        ended = begun = False
        try:
            part = await self._feed.read()
            while isinstance(part, Chunk):
                if not begun:
                    await send(_start(200, [*_SSE_HEADERS, self._name]))
                    begun = True
                ended = part.last
                await send(_body(part.body, more=not ended))
                pace.wrote()
                part = None if ended else await self._feed.read()
            if isinstance(part, Answer):
                ended = not self._feed.handed_over
                begun = not ended
                await send_answer(part, send)
            elif self._feed.handed_over and not ended and not self._feed.left:
                if not begun:
                    await send(_start(200, [*_SSE_HEADERS, self._name]))
                    begun = True
                # No frame, and no number: who resumes elsewhere goes on with the next one.
                await send(_body(_HANDED_OVER, more=False))
        finally:
            listening.cancel()
            pace.ended()
            await self._ended(ended, begun)

    async def _listen(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._feed.leave()


async def send_answer(answer: Answer, send: Send) -> None:
    """Send a plain answer of a turn that was accepted.

    OpenAI's SDKs repeat a request after a 5xx; the turn exists, so they are told not to, unless
    it was refused for a time that is known: then nothing was done, and they come back after it.
    """
    length = (b"content-length", str(len(answer.body)).encode())
    headers = [*_JSON_HEADERS, length]
    if answer.retry_after_s:
        headers.append((b"retry-after", b"%d" % answer.retry_after_s))
    elif answer.status >= _SERVER_ERROR:
        headers.append(_ACCEPTED)
    await send(_start(answer.status, headers))
    await send(_body(answer.body, more=False))


def _start(status: int, headers: list[tuple[bytes, bytes]]) -> Message:
    return {"type": "http.response.start", "status": status, "headers": headers}


def _body(body: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}
