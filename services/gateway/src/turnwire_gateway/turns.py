"""Creates turns and brings back their end: as one answer, or as a stream."""

import asyncio
from collections.abc import Awaitable, Callable

import orjson
import structlog
from msgspec import Struct
from msgspec.structs import replace

from turnwire_chassis.event_log import FencedError, LogUnavailableError, TooLargeError
from turnwire_chassis.telemetry.correlation import correlate, traceparent
from turnwire_contracts.events import VERSIONS, CancelRequested, Requested
from turnwire_contracts.ids import TurnKey
from turnwire_contracts.turn import ClosedTurn, Erased, Unborn, fold
from turnwire_contracts.wire.compaction import answer_object
from turnwire_contracts.wire.frames import FrameMessage
from turnwire_contracts.wire.refusals import answer_lost
from turnwire_contracts.wire.response import error_envelope
from turnwire_gateway.answers.errors import (
    ApiError,
    gateway_stopping,
    too_large,
    unavailable,
    unfinished,
)
from turnwire_gateway.answers.feed import Answer, Feed, Logs
from turnwire_gateway.telemetry import reader_left

log = structlog.get_logger()

_LOOK_AFTER_S = 5.0
_OVERTIME_S = 30.0
"""What the gateway waits beyond the turn's own limit: a takeover may have started it again."""

_ON_ITS_WAY_S = 0.5
"""How long an answer may take from the turn's end to here."""


class Limits(Struct, frozen=True):
    """What the operator allows."""

    turn_timeout_s: float
    stream_grace_s: float
    max_body_bytes: int


class Turns:
    """The gateway's side of turns."""

    def __init__(
        self,
        logs: Logs,
        limits: Limits,
        is_watched: Callable[[TurnKey], Awaitable[bool]],
        now_ms: Callable[[], int],
    ) -> None:
        """`is_watched` asks all gateways whether a stream has a reader."""
        self._logs = logs
        self._limits = limits
        self._is_watched = is_watched
        self._now_ms = now_ms
        self._watched: dict[TurnKey, int] = {}
        self._graces: set[asyncio.Task[None]] = set()
        self._feeds: set[Feed] = set()
        self._waiting: dict[asyncio.Future[FrameMessage], TurnKey] = {}
        self._handing_over = False

    @property
    def limits(self) -> Limits:
        """What the operator allows."""
        return self._limits

    def watches(self, turn: TurnKey) -> bool:
        """Tell whether a reader of this gateway watches a response."""
        return turn in self._watched

    async def answer(
        self, request: Requested, gone: Awaitable[None], *, known: bool = False
    ) -> Answer | None:
        """Run a turn and wait for its end; when `gone` ends first, the turn is cancelled.

        One that is `known` was requested before, with the same key. Raises `ApiError`.
        """
        loop = asyncio.get_running_loop()
        heard: asyncio.Future[FrameMessage] = loop.create_future()

        def on_answer(message: FrameMessage) -> None:
            if not heard.done():
                heard.set_result(message)

        watch = await self._logs.output.await_answer(request.turn_key, on_answer)
        self._waiting[heard] = request.turn_key
        leaving = asyncio.ensure_future(gone)
        self._watch(request.turn_key)
        try:
            known = known or await self._publish(request)
            return await self._wait(request, heard, leaving, known=known)
        finally:
            del self._waiting[heard]
            self._unwatch(request.turn_key)
            leaving.cancel()
            await watch.stop()

    async def begin_stream(self, request: Requested, *, known: bool = False) -> Feed:
        """Run a turn and listen to its frames; the caller stops the feed by `end_stream`.

        One that is `known` was requested before, with the same key. Raises `ApiError`.
        """
        feed = Feed(self._logs, request.turn_key, 0 if request.background else None)
        await feed.start()
        try:
            known = known or await self._publish(request)
        except ApiError:
            await feed.stop()
            raise
        if known:
            feed.look()
        return self._opened(feed)

    async def queue(self, request: Requested) -> bool:
        """Request a background turn; tells whether it was requested before, with the same key."""
        return await self._publish(request)

    async def join_stream(self, turn: TurnKey, start: int) -> Feed:
        """Listen to a turn that was requested before, from the frame numbered `start`."""
        feed = Feed(self._logs, turn, start)
        await feed.start()
        return self._opened(feed)

    async def end_stream(
        self, feed: Feed, *, ended: bool, begun: bool, background: bool = False
    ) -> None:
        """Stop a feed; a turn that still runs is cancelled if nobody comes back in time.

        Before its first frame nobody knows the id, so there is nothing to wait for. Background
        turns need no reader.
        """
        await feed.stop()
        reader_left(feed, ended=ended)
        self._feeds.discard(feed)
        self._unwatch(feed.turn)
        if not ended and not background:
            self._leave(feed.turn, findable=begun)

    def hand_over(self) -> None:
        """End what is open, as this process ends: turns go on, and can be read elsewhere."""
        self._handing_over = True
        for feed in self._feeds:
            feed.hand_over()
        for heard, turn in self._waiting.items():
            if not heard.done():
                heard.set_exception(gateway_stopping(turn.response_id))

    async def graces_end(self) -> None:
        """Return when every turn that lost its reader has one elsewhere, or is cancelled."""
        while self._graces:
            await asyncio.wait(self._graces)

    def _opened(self, feed: Feed) -> Feed:
        self._feeds.add(feed)
        self._watch(feed.turn)
        if self._handing_over:
            feed.hand_over()
        return feed

    def _watch(self, turn: TurnKey) -> None:
        self._watched[turn] = self._watched.get(turn, 0) + 1

    def _unwatch(self, turn: TurnKey) -> None:
        self._watched[turn] -= 1
        if not self._watched[turn]:
            del self._watched[turn]

    def _leave(self, turn: TurnKey, *, findable: bool) -> None:
        """Cancel a turn that lost its reader; one that is `findable` may get another."""
        leaving = self._cancel_unwatched if findable else self._cancel
        task = asyncio.create_task(leaving(turn))
        self._graces.add(task)
        task.add_done_callback(self._graces.discard)

    async def _cancel_unwatched(self, turn: TurnKey) -> None:
        await asyncio.sleep(self._limits.stream_grace_s)
        if not await self._is_watched(turn):
            await self._cancel(turn)

    async def _publish(self, request: Requested) -> bool:
        """Append the request; tells whether it was there already, by its `Idempotency-Key`."""
        correlate(response_id=request.response_id)
        if (parent := traceparent()) is not None:
            request = replace(request, traceparent=parent)
        try:
            # Without a key the id is new and unguessable, so there is nothing to be fenced from.
            await self._logs.events.append(request, 0 if request.fingerprint else None)
        except TooLargeError as error:
            raise too_large(self._limits.max_body_bytes) from error
        except LogUnavailableError as error:
            raise unavailable("event log") from error
        except FencedError:
            return True
        return False

    async def _wait(
        self,
        request: Requested,
        heard: "asyncio.Future[FrameMessage]",
        leaving: "asyncio.Future[None]",
        *,
        known: bool,
    ) -> Answer | None:
        loop = asyncio.get_running_loop()
        limit = self._limits.turn_timeout_s + _OVERTIME_S
        until = loop.time() + limit
        pause = 0.0 if known else _LOOK_AFTER_S
        while loop.time() < until:
            done, _ = await asyncio.wait(
                {heard, leaving}, timeout=pause, return_when=asyncio.FIRST_COMPLETED
            )
            if heard in done:
                message = heard.result()
                return Answer(message.first, message.body, message.count)
            if leaving in done:
                await self._left(request)
                return None
            # The answer itself is not kept anywhere: if it was lost, the log has the end.
            turn = await self._look(request)
            if answer := _answer_of(turn):
                return answer
            if not isinstance(turn, ClosedTurn | Erased):
                pause = _LOOK_AFTER_S
            elif pause == _ON_ITS_WAY_S:
                raise ApiError(answer_lost(), accepted=True)
            else:
                pause = _ON_ITS_WAY_S
        raise unfinished(limit)

    async def _left(self, request: Requested) -> None:
        """End a plain turn whose client has gone; one with a key may be asked for again."""
        if request.fingerprint is None:
            await self._cancel(request.turn_key)
        else:
            self._leave(request.turn_key, findable=True)

    async def _look(self, request: Requested) -> object:
        try:
            return await self._fold(request.turn_key)
        except LogUnavailableError:
            return None

    async def _cancel(self, turn: TurnKey) -> None:
        """Say that nobody wants the turn any more, unless it has ended."""
        try:
            if isinstance(await self._fold(turn), ClosedTurn | Erased | Unborn):
                return
            wish = CancelRequested(
                v=VERSIONS["cancel_requested"],
                tenant=turn.tenant,
                response_id=turn.response_id,
                at=self._now_ms(),
                cause=turn.response_id,
                reason="client_left",
            )
            await self._logs.events.append(wish, None)
        except LogUnavailableError as error:
            log.warning("turn not cancelled", response_id=turn.response_id, error=str(error))

    async def _fold(self, turn: TurnKey) -> object:
        recorded = await self._logs.events.read(*turn)
        return fold([each.event for each in recorded])


def _answer_of(turn: object) -> Answer | None:
    """Give the answer that the log has, if it has one."""
    if not isinstance(turn, ClosedTurn) or not turn.closed.stored:
        return None
    failure = turn.closed.failure
    if failure is not None:
        body = orjson.dumps(error_envelope(failure))
        return Answer(failure.http_status, body, failure.retry_after_s or 0)
    return Answer(200, orjson.dumps(answer_object(turn)))
