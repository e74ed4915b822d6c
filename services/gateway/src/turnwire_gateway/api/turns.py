"""Creates turns and brings back their end: as one answer, or as a stream."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager

import structlog
from msgspec import Struct
from msgspec.structs import replace

from turnwire_chassis.event_log import FencedError, LogUnavailableError, TooLargeError
from turnwire_chassis.telemetry.correlation import correlate, traceparent
from turnwire_contracts.event_kinds import VERSIONS
from turnwire_contracts.events import CancelRequested, Requested
from turnwire_contracts.ids import TurnKey
from turnwire_contracts.turn import fold
from turnwire_contracts.turn_state import ClosedTurn, Erased, NotRequested
from turnwire_contracts.wire.frames import FrameMessage
from turnwire_contracts.wire.refusals import answer_lost
from turnwire_gateway.admission.admission import Admitted
from turnwire_gateway.admission.idempotency import check_same
from turnwire_gateway.admission.turn_queues import TurnQueues
from turnwire_gateway.api.answers import answer_of
from turnwire_gateway.api.feed import FrameFeed
from turnwire_gateway.api.frames.backfill import Logs
from turnwire_gateway.api.stream_parts import EarlyResponse, replayed
from turnwire_gateway.api.telemetry import reader_left
from turnwire_gateway.errors import ApiError, gateway_stopping, not_kept, too_large, unfinished

log = structlog.get_logger()

_LOOK_AFTER_S = 5.0
_OVERTIME_S = 30.0
"""What the gateway waits beyond the turn's own limit: a takeover may have started it again."""
_OWNERS = 2
"""A turn that another owner takes over in its last moment has its whole time again."""
_ON_ITS_WAY_S = 0.5
"""How long an answer may take from the turn's end to here."""


class TurnLimits(Struct, frozen=True):
    """How long turns and streams may take (seconds), and how large bodies may be."""

    turn_timeout_s: float
    stream_grace_s: float
    max_body_bytes: int
    max_queue_s: float = math.inf


class Turns:
    """The gateway's side of turns."""

    def __init__(
        self,
        logs: Logs,
        limits: TurnLimits,
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
        self._feeds: set[FrameFeed] = set()
        self._waiting: dict[asyncio.Future[FrameMessage], TurnKey] = {}
        self._handing_over = False
        self.queues = TurnQueues(limits.max_queue_s)

    @property
    def limits(self) -> TurnLimits:
        """How long turns and streams may take (seconds), and how large bodies may be."""
        return self._limits

    def watches(self, turn: TurnKey) -> bool:
        """Tell whether a reader of this gateway watches a response."""
        return turn in self._watched

    async def answer(self, admitted: Admitted, gone: Awaitable[None]) -> EarlyResponse | None:
        """Run a turn and wait for its end; `None` if `gone` ends first: then it is cancelled.

        Raises `ApiError`: 413, 503 when it cannot be requested, 504 when it does not end in time.
        """
        request = admitted.request
        loop = asyncio.get_running_loop()
        end: asyncio.Future[FrameMessage] = loop.create_future()

        def on_answer(message: FrameMessage) -> None:
            if not end.done():
                end.set_result(message)

        watch = await self._logs.output.await_answer(request.turn_key, on_answer)
        self._waiting[end] = request.turn_key
        leaving = asyncio.ensure_future(gone)
        self._watch(request.turn_key)
        self.queues.enter(end, request.tenant)
        try:
            already_exists = admitted.already_exists or await self._publish(request)
            answer = await self._wait(request, end, leaving, already_exists=already_exists)
            return replayed(answer) if answer is not None and already_exists else answer
        finally:
            del self._waiting[end]
            self.queues.leave(end)
            self._unwatch(request.turn_key)
            leaving.cancel()
            await watch.stop()

    async def begin_stream(self, admitted: Admitted) -> FrameFeed:
        """Run a turn and listen to its frames; the feed is stopped by `end_stream`.

        Raises `ApiError` (413, 503) when it cannot be requested.
        """
        request = admitted.request
        feed = FrameFeed(self._logs, request.turn_key, 0 if request.background else None)
        await feed.start()
        if not (request.background or admitted.already_exists):
            self.queues.enter(feed, request.tenant)
        try:
            already_exists = admitted.already_exists or await self._publish(request)
        except BaseException:
            self.queues.leave(feed)
            await feed.stop()
            raise
        if already_exists:
            feed.look()
        if not request.background:
            feed.end_within(_OWNERS * self._limits.turn_timeout_s + _OVERTIME_S)
        return self._opened(feed)

    async def queue(self, request: Requested) -> bool:
        """Request a background turn; tells whether it was requested before, with the same key."""
        return await self._publish(request)

    @contextmanager
    def joining(self, turn: TurnKey) -> Generator[None]:
        """Count a reader that is on its way: a turn is not cancelled while it is looked up.

        That takes as long as an election, when the log has no leader.
        """
        self._watch(turn)
        try:
            yield
        finally:
            self._unwatch(turn)

    async def join_stream(self, turn: TurnKey, start: int) -> FrameFeed:
        """Listen to a turn that was requested before, from the frame numbered `start`."""
        feed = FrameFeed(self._logs, turn, start)
        await feed.start()
        return self._opened(feed)

    async def end_stream(
        self, feed: FrameFeed, *, ended: bool, begun: bool, background: bool = False
    ) -> None:
        """Stop a feed; a turn that still runs is cancelled if no reader comes back in time.

        Before its first frame no client knows the id, so there is nothing to wait for. Background
        turns need no reader.
        """
        self.queues.leave(feed)
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
        for end, turn in self._waiting.items():
            if not end.done():
                end.set_exception(gateway_stopping(turn.response_id))

    @property
    def is_handing_over(self) -> bool:
        """Whether this process is stopping, so that streams go on elsewhere."""
        return self._handing_over

    async def graces_end(self) -> None:
        """Return when every turn that lost its reader has one elsewhere, or is cancelled."""
        while self._graces:
            await asyncio.wait(self._graces)

    def _opened(self, feed: FrameFeed) -> FrameFeed:
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
        task = asyncio.get_running_loop().create_task(leaving(turn))
        self._graces.add(task)
        task.add_done_callback(self._graces.discard)

    async def _cancel_unwatched(self, turn: TurnKey) -> None:
        await asyncio.sleep(self._limits.stream_grace_s)
        if not await self._is_watched(turn):
            await self._cancel(turn)

    async def _publish(self, request: Requested) -> bool:
        """Append a request; tells whether it was there, by its key. Raises `ApiError` (409, …)."""
        correlate(response_id=request.response_id)
        level = self.queues.place(request)
        parent = traceparent()
        if level or parent is not None:
            request = replace(request, traceparent=parent, queue_level=level)
        try:
            # Without a key the id is new and unguessable, so there is nothing to be fenced from.
            await self._logs.events.append(request, 0 if request.fingerprint else None)
        except TooLargeError as error:
            raise too_large(self._limits.max_body_bytes) from error
        except LogUnavailableError as error:
            raise not_kept(error) from error
        except FencedError:
            await check_same(self._logs.events, request)
            return True
        return False

    async def _wait(
        self,
        request: Requested,
        end: "asyncio.Future[FrameMessage]",
        leaving: "asyncio.Future[None]",
        *,
        already_exists: bool,
    ) -> EarlyResponse | None:
        loop = asyncio.get_running_loop()
        until = loop.time() + (limit := self._limits.turn_timeout_s + _OVERTIME_S)
        pause = 0.0 if already_exists else _LOOK_AFTER_S
        while loop.time() < until:
            done, _ = await asyncio.wait(
                {end, leaving}, timeout=pause, return_when=asyncio.FIRST_COMPLETED
            )
            if end in done:
                message = end.result()
                return EarlyResponse(message.first, message.body, message.count)
            if leaving in done:
                await self._left(request)
                return None
            # The answer itself is not kept anywhere: if it was lost, the log has the end.
            turn = await self._look(request)
            if answer := answer_of(turn):
                return answer
            if not isinstance(turn, ClosedTurn | Erased):
                pause = _LOOK_AFTER_S
            elif pause == _ON_ITS_WAY_S:
                raise ApiError(answer_lost())
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
        """Ask for the turn to be cancelled, unless it has ended."""
        try:
            if isinstance(await self._fold(turn), ClosedTurn | Erased | NotRequested):
                return
            cancel = CancelRequested(
                v=VERSIONS[CancelRequested],
                tenant=turn.tenant,
                response_id=turn.response_id,
                at=self._now_ms(),
                cause=turn.response_id,
                reason="client_left",
            )
            await self._logs.events.append(cancel, None)
        except LogUnavailableError as error:
            log.warning("turn not cancelled", response_id=turn.response_id, error=str(error))

    async def _fold(self, turn: TurnKey) -> object:
        return fold([each.event for each in await self._logs.events.read(*turn)])
