"""The frames of one response for one reader: in order, without gaps, in bounded memory."""

import asyncio
import math
from collections.abc import Awaitable, Callable

import structlog

from turnwire_chassis.event_log import LogUnavailableError
from turnwire_chassis.output_log import FrameSubscription
from turnwire_chassis.telemetry import metrics
from turnwire_contracts.codec import UnreadableEventError
from turnwire_contracts.ids import TurnKey
from turnwire_contracts.turn import ImpossibleEventError, fold
from turnwire_contracts.turn_state import ClosedTurn, Erased, failure_of
from turnwire_contracts.wire.frames import DONE, KEEP_ALIVE, FrameMessage, tail
from turnwire_contracts.wire.stream import keeps_all_told, rest_of
from turnwire_gateway.api.frames.backfill import (
    MOST_FETCHED_BYTES,
    Backfill,
    Logs,
    ReaderEpochs,
    contradicts,
    ended_by,
    messages_of,
)
from turnwire_gateway.api.frames.frame_queue import FrameQueue
from turnwire_gateway.api.frames.silence import LOOK_AFTER_S, SilenceTimer
from turnwire_gateway.api.stream_parts import (
    Chunk,
    EarlyResponse,
    broken_off,
    early_failure,
    end_behind,
    refused_late,
    replayed,
    told_otherwise,
)
from turnwire_gateway.errors import gateway_stopping, internal_error, unfinished

log = structlog.get_logger()

_MOST_AT_ONCE_BYTES = 64 * 1024
"""The HTTP server holds what it was given three times over while a reader does not read."""
_LOOK_AGAIN_S = 0.25
"""How soon after a fruitless look in front of a known gap the next one comes."""
_UNSTORED_WITHIN_S = 10.0
"""How long frames that only their owner has may be missing; the broker elects within nine."""


class FrameFeed:
    """Puts live frames and stored ones together."""

    def __init__(self, logs: Logs, turn: TurnKey, joins_at: int | None = None) -> None:
        """Read a stream that has yet to begin, or join one at the `sequence_number` `joins_at`."""
        self._logs = logs
        self.turn = turn
        self._epoch = self._newest_epoch = 0
        self._queue = FrameQueue(logs.queued, joins_at or 0)
        self._backfill = Backfill(logs.output, turn)
        self._watch: FrameSubscription | None = None
        self._gap_since = self._over_since = 0.0
        self._begun = joins_at is not None
        self._silence = SilenceTimer(self._queue, is_due=self._begun)
        self._limit_s = self._ends_at = math.inf
        self._joined_at = joins_at or 0
        self._replays = False
        self._fetched = {"kept": 0, "log": 0}
        self.left = False
        """Whether the reader has gone."""
        self.handed_over = False
        """Whether this process ends, so that the rest is to be read at another gateway."""

    async def start(self) -> None:
        """Listen; frames are complete from here on."""
        metrics.STREAMS_OPEN().inc()
        self._watch = await self._logs.output.watch(self.turn, self._heard)
        self._silence.start()

    def end_within(self, seconds: float) -> None:
        """End `read` after so long if the turn has not ended: no orchestrator works on it."""
        self._limit_s = seconds
        self._ends_at = asyncio.get_running_loop().time() + seconds

    async def stop(self) -> None:
        """Stop listening."""
        metrics.STREAMS_OPEN().dec()
        self._silence.stop()
        if self._watch is not None:
            await self._watch.stop()
        self._queue.clear()

    @property
    def next_number(self) -> int:
        """The `sequence_number` of the frame that comes next."""
        return self._queue.next

    def forward_by(self, forward: Callable[[bytes], bool]) -> None:
        """While `read` waits, give what follows to `forward`, which tells whether it took it."""
        self._queue.forward = forward

    def look(self) -> None:
        """Look at once for what was written before: the turn is not new."""
        self._replays = True
        self._silence.look()

    @property
    def sent(self) -> dict[str, int]:
        """How many frames were given, by where they came from."""
        live = self._queue.next - self._joined_at - sum(self._fetched.values())
        return {"live": max(0, live), **self._fetched}

    def leave(self) -> None:
        """End `read`: the reader has gone."""
        self.left = True
        self._queue.news.set()

    def hand_over(self) -> None:
        """End `read`: this process ends, and the rest is read at another gateway."""
        self.handed_over = True
        self._queue.news.set()

    async def read(self) -> Chunk | EarlyResponse | None:
        """Give what comes next, waiting for it; `None` once the reader or this process goes."""
        while not self.left:
            if self.handed_over:
                stopping = gateway_stopping(self.turn.response_id)
                return None if self._begun else early_failure(stopping.failure)
            if self._silence.is_due:
                self._silence.is_due = False
                if not self._queue and (chunk := await self._idle_chunk()):
                    return self._told(chunk)
            if not (self._queue or self._queue.has_missed):
                await self._queue.wait()
                continue
            chunk = await self._from_queue()
            if chunk is not None:
                return self._told(chunk)
        return None

    def _told(self, part: Chunk | EarlyResponse) -> Chunk | EarlyResponse:
        return replayed(part) if self._replays and isinstance(part, EarlyResponse) else part

    async def _idle_chunk(self) -> Chunk | EarlyResponse | None:
        """Give what was missed, else a sign of life; before the first frame an error is HTTP's."""
        chunk = await self._readable(self._from_kept)
        if chunk is not None or self._queue:
            return chunk
        if asyncio.get_running_loop().time() >= self._ends_at:
            too_late = broken_off(self._queue.next, "it has not ended in time")
            return too_late if self._begun else early_failure(unfinished(self._limit_s).failure)
        return Chunk(KEEP_ALIVE) if self._begun else None

    def _heard(self, message: FrameMessage) -> None:
        if message.epoch < self._newest_epoch:
            return
        self._newest_epoch = message.epoch
        if message.announces_owner:
            return
        self._silence.has_heard = True
        if message.epoch == self._epoch and self._queue.forwards(message):
            self._gap_since = 0.0
        else:
            self._queue.hear(message)

    async def _from_queue(self) -> Chunk | EarlyResponse | None:
        bodies, last, size, queue = list[bytes](), False, 0, self._queue
        while queue and not last and size < _MOST_AT_ONCE_BYTES:
            message = queue.first
            if message.kind == "A" or contradicts(message, queue.next, self._epoch):
                break
            if message.epoch < self._epoch or message.end <= queue.next:
                queue.drop_first()
                continue
            if message.first > queue.next:
                break
            if bodies and size + len(message.body) > _MOST_AT_ONCE_BYTES:
                break
            bodies.append(tail(message, queue.next))
            size += len(bodies[-1])
            queue.next, self._epoch = message.end, message.epoch
            last = message.kind == "E"
            queue.drop_first()
        if not bodies:
            return await self._without_next()
        self._begun, self._gap_since = True, 0.0
        return Chunk(b"".join([*bodies, DONE] if last else bodies), last)

    async def _without_next(self) -> Chunk | EarlyResponse | None:
        """Do what is to be done when the next frame does not stand first in the queue."""
        if not self._queue:
            return await self._fill() if self._queue.has_missed else None
        message = self._queue.first
        if message.kind == "A":
            return await self._early_end(message)
        if not contradicts(message, self._queue.next, self._epoch):
            return await self._fill()
        if message.kind == "E" and await ended_by(self._logs.events, self.turn, self._epoch):
            self._epoch = message.epoch
            return None
        return told_otherwise(self._queue.next)

    async def _early_end(self, message: FrameMessage) -> Chunk | EarlyResponse | None:
        self._queue.drop_first()
        if not self._begun:
            return EarlyResponse(message.first, message.body, message.count)
        if 0 < self._epoch < message.epoch and not await ended_by(
            self._logs.events, self.turn, self._epoch
        ):
            # Who refuses a turn knows of no frames of it.
            return told_otherwise(self._queue.next)
        # Once bytes are out it is too late for an HTTP error: the log tells it as frames.
        part = await self._readable(self._from_log)
        if part is None and not self._queue.has_next:
            return refused_late(self._queue.next, message.body)
        return part

    async def _fill(self) -> Chunk | EarlyResponse | None:
        """Fetch what is missing in front of what was heard, or give a sign of life.

        While the turn runs, its owner publishes again what the broker lost; then the log has all.
        """
        chunk = await self._readable(self._from_kept)
        if chunk is not None or self._queue.has_next:
            return chunk
        now = asyncio.get_running_loop().time()
        self._gap_since = self._gap_since or now
        if self._begun and now - self._gap_since >= LOOK_AFTER_S:
            self._gap_since = now
            return Chunk(KEEP_ALIVE)
        await asyncio.sleep(_LOOK_AGAIN_S)
        return None

    async def _readable(
        self, read: Callable[[], Awaitable[Chunk | EarlyResponse | None]]
    ) -> Chunk | EarlyResponse | None:
        """Read what was written; nothing comes of it while it cannot be asked for."""
        try:
            return await read()
        except LogUnavailableError:
            return None
        except (UnreadableEventError, ImpossibleEventError):
            log.exception("turn cannot be read", response_id=self.turn.response_id)
            if not self._begun:
                return early_failure(internal_error().failure)
            return broken_off(self._queue.next, "an event of it cannot be read by this gateway")

    async def _from_kept(self) -> Chunk | EarlyResponse | None:
        """Fetch what was missed: from kept frames, else from the log once the turn has ended."""
        queue = self._queue
        epochs = ReaderEpochs(self._epoch, self._newest_epoch)
        if not (kept := await self._backfill.read(queue.next, epochs, begun=self._begun)):
            return await self._from_log()
        if kept[-1].kind != "A":
            self._fetched["kept"] += kept[-1].end - queue.next
            queue.missed = max(queue.missed, self._backfill.known_end)
        queue.put_first(kept)
        return None

    async def _from_log(self) -> Chunk | EarlyResponse | None:
        turn = fold([each.event for each in await self._logs.events.read(*self.turn)])
        if isinstance(turn, ClosedTurn) and turn.closed.stored:
            return self._rest_of(turn)
        failure = failure_of(turn)
        if failure is not None and not self._begun:
            return early_failure(failure)
        if isinstance(turn, ClosedTurn | Erased) and self._is_over():
            return broken_off(self._queue.next, "its content was not stored")
        return None

    def _rest_of(self, turn: ClosedTurn) -> Chunk | None:
        """Queue what the log has behind what was read, as much of it as may wait."""
        queue = self._queue
        frames = rest_of(turn, queue.next, end_told=True)
        knows_end = turn.closed.status == "completed" or self._backfill.is_behind_end(queue.next)
        joins_behind = queue.next == self._joined_at and keeps_all_told(turn)
        if not frames and (knows_end or joins_behind):
            return end_behind(turn, queue.next, self._joined_at)
        if not frames:
            # More may have been told than came into the log, by an owner that still tells the end.
            if not self._is_over():
                return None
            frames = rest_of(turn, queue.next)
        room = max(MOST_FETCHED_BYTES, self._logs.queued.room)
        messages = messages_of(frames, queue.next, self._epoch, room)
        self._fetched["log"] += messages[-1].end - queue.next
        queue.missed = max(queue.missed, queue.next + len(frames))
        queue.put_first(messages)
        return None

    def _is_over(self) -> bool:
        """Tell whether nothing more can come of a turn that has ended and was not stored."""
        now = asyncio.get_running_loop().time()
        self._over_since = self._over_since or now
        return not self._epoch or now - self._over_since >= _UNSTORED_WITHIN_S
