"""The frames of one response for one reader: in order, without gaps, in bounded memory."""

import asyncio
import math
from collections import deque
from collections.abc import Callable

from msgspec import Struct

from turnwire_chassis.event_log import EventLog, LogUnavailableError
from turnwire_chassis.output_log import FrameSubscription, OutputLog
from turnwire_chassis.telemetry import metrics
from turnwire_contracts.events import TakenOver
from turnwire_contracts.ids import TurnKey
from turnwire_contracts.turn import fold
from turnwire_contracts.turn_state import ClosedTurn, Erased, failure_of
from turnwire_contracts.wire.frames import DONE, KEEP_ALIVE, FrameMessage, tail
from turnwire_contracts.wire.stream import stream_of
from turnwire_gateway.api.stream_parts import (
    Chunk,
    EarlyResponse,
    broken_off,
    early_failure,
    refused_late,
    replayed,
    told_otherwise,
)
from turnwire_gateway.errors import gateway_stopping, unfinished

_MOST_QUEUED_BYTES = 1024 * 1024
_MOST_AT_ONCE_BYTES = 64 * 1024
"""The HTTP server holds what it was given three times over while a reader does not read."""

_LOOK_AFTER_S = 5.0
"""A reader that has heard nothing for so long looks whether it missed something."""

_LOOK_AGAIN_S = 0.25
"""How soon after a fruitless look in front of a known gap the next one comes."""

_UNSTORED_WITHIN_S = 10.0
"""How long frames that only their owner has may be missing; the broker elects within nine."""


class Logs(Struct, frozen=True):
    """Where frames come from."""

    events: EventLog
    output: OutputLog


class FrameFeed:
    """Puts live frames and stored ones together."""

    def __init__(self, logs: Logs, turn: TurnKey, joins_at: int | None = None) -> None:
        """Read a stream that has yet to begin, or join one at the `sequence_number` `joins_at`."""
        self._output = logs.output
        self._log = logs.events
        self.turn = turn
        self._next = joins_at or 0
        self._epoch = self._newest_epoch = 0
        self._queue: deque[FrameMessage] = deque()
        self._queued_bytes = 0
        self._news = asyncio.Event()
        self._watch: FrameSubscription | None = None
        self._gap_since = self._over_since = 0.0
        self._begun = self._idle = joins_at is not None
        self._forward: Callable[[bytes], bool] | None = None
        self._forward_now = self._forward
        self._ticker: asyncio.TimerHandle | None = None
        self._limit_s = self._ends_at = math.inf
        self._joined_at = self._next
        self._replays = self._has_heard = False
        self._fetched = {"kept": 0, "log": 0}
        self.left = False
        """Whether the reader has gone."""
        self.handed_over = False
        """Whether this process ends, so that the rest is to be read at another gateway."""

    async def start(self) -> None:
        """Listen; frames are complete from here on."""
        metrics.STREAMS_OPEN().inc()
        self._watch = await self._output.watch(self.turn, self._heard)
        self._tick_later()

    def end_within(self, seconds: float) -> None:
        """End `read` after so long if the turn has not ended: no orchestrator works on it."""
        self._limit_s = seconds
        self._ends_at = asyncio.get_running_loop().time() + seconds

    async def stop(self) -> None:
        """Stop listening."""
        metrics.STREAMS_OPEN().dec()
        if self._ticker is not None:
            self._ticker.cancel()
        if self._watch is not None:
            await self._watch.stop()

    def forward_by(self, forward: Callable[[bytes], bool]) -> None:
        """While `read` waits, give what follows to `forward`, which tells whether it took it."""
        self._forward = forward

    def look(self) -> None:
        """Look at once for what was written before: the turn is not new."""
        self._idle = self._replays = True
        self._news.set()

    @property
    def sent(self) -> dict[str, int]:
        """How many frames were given, by where they came from."""
        live = max(0, self._next - self._joined_at - self._fetched["kept"])
        return {"live": live, **self._fetched}

    def leave(self) -> None:
        """End `read`: the reader has gone."""
        self.left = True
        self._news.set()

    def hand_over(self) -> None:
        """End `read`: this process ends, and the rest is read at another gateway."""
        self.handed_over = True
        self._news.set()

    async def read(self) -> Chunk | EarlyResponse | None:
        """Give what comes next, waiting for it; `None` once the reader or this process goes."""
        while not self.left:
            if self.handed_over:
                stopping = gateway_stopping(self.turn.response_id)
                return None if self._begun else early_failure(stopping.failure)
            if self._idle:
                self._idle = False
                if not self._queue and (chunk := await self._idle_chunk()):
                    return self._told(chunk)
            if not self._queue:
                self._news.clear()
                self._forward_now = self._forward
                await self._news.wait()
                self._forward_now = None
                continue
            chunk = await self._from_queue()
            if chunk is not None:
                return self._told(chunk)
        return None

    def _told(self, part: Chunk | EarlyResponse) -> Chunk | EarlyResponse:
        return replayed(part) if self._replays and isinstance(part, EarlyResponse) else part

    async def _idle_chunk(self) -> Chunk | EarlyResponse | None:
        """Give what was missed, else a sign of life; before the first frame an error is HTTP's."""
        chunk = await self._look()
        if chunk is not None or self._queue:
            return chunk
        if asyncio.get_running_loop().time() >= self._ends_at:
            too_late = broken_off(self._next, "it has not ended in time")
            return too_late if self._begun else early_failure(unfinished(self._limit_s).failure)
        return Chunk(KEEP_ALIVE) if self._begun else None

    def _tick(self) -> None:
        self._idle = not (self._queue or self._has_heard)
        self._has_heard = False
        if self._idle:
            self._news.set()
        self._tick_later()

    def _tick_later(self) -> None:
        self._ticker = asyncio.get_running_loop().call_later(_LOOK_AFTER_S, self._tick)

    def _heard(self, message: FrameMessage) -> None:
        if message.epoch < self._newest_epoch:
            return
        self._newest_epoch = message.epoch
        if message.announces_owner:
            return
        self._has_heard = True
        follows = message.first == self._next and message.epoch == self._epoch and not self._queue
        forward = self._forward_now if follows and message.kind == "F" else None
        if forward is not None and forward(message.body):
            self._next, self._gap_since = message.end, 0.0
            return
        self._queued_bytes += len(message.body)
        if self._queued_bytes > _MOST_QUEUED_BYTES:
            # A slow reader: what is dropped here shows as a gap and is fetched when it can read.
            self._queue.clear()
            self._queued_bytes = len(message.body)
        self._queue.append(message)
        self._news.set()

    async def _from_queue(self) -> Chunk | EarlyResponse | None:
        bodies, last, size = list[bytes](), False, 0
        while self._queue and not last and size < _MOST_AT_ONCE_BYTES:
            message = self._queue[0]
            if message.kind == "A":
                return await self._early_end(message)
            if self._contradicts(message):
                if bodies:
                    break
                if message.kind == "F" or not await self._is_end_of_known_owner():
                    return told_otherwise(self._next)
            if message.epoch < self._epoch or message.end <= self._next:
                self._drop_first()
                continue
            if message.first > self._next:
                if bodies:
                    break
                return await self._fill()
            bodies.append(tail(message, self._next))
            size += len(bodies[-1])
            self._begun = True
            self._next, self._epoch, self._gap_since = message.end, message.epoch, 0.0
            last = message.kind == "E"
            self._drop_first()
        if last:
            bodies.append(DONE)
        return Chunk(b"".join(bodies), last) if bodies else None

    async def _early_end(self, message: FrameMessage) -> Chunk | EarlyResponse:
        self._drop_first()
        if not self._begun:
            return EarlyResponse(message.first, message.body, message.count)
        if 0 < self._epoch < message.epoch and not await self._is_end_of_known_owner():
            # Who refuses a turn knows of no frames of it.
            return told_otherwise(self._next)
        # Once bytes are out it is too late for an HTTP error: the log tells it as frames.
        return await self._from_log() or refused_late(self._next, message.body)

    def _contradicts(self, message: FrameMessage) -> bool:
        """Tell whether a new owner repeats numbers that this reader has seen from the old one."""
        return 0 < self._epoch < message.epoch and message.first < self._next

    async def _is_end_of_known_owner(self) -> bool:
        """Tell whether whom this reader heard closed the turn: all later owners tell that end."""
        try:
            recorded = await self._log.read(*self.turn)
        except LogUnavailableError:
            return False
        return self._epoch == 1 + sum(isinstance(each.event, TakenOver) for each in recorded)

    def _drop_first(self) -> None:
        self._queued_bytes -= len(self._queue.popleft().body)

    async def _fill(self) -> Chunk | EarlyResponse | None:
        """Fetch what is missing in front of what was heard, or give a sign of life.

        While the turn runs, its owner publishes again what the broker lost; then the log has all.
        """
        chunk = await self._look()
        if chunk is not None or self._queue[0].first <= self._next:
            return chunk
        now = asyncio.get_running_loop().time()
        self._gap_since = self._gap_since or now
        if self._begun and now - self._gap_since >= _LOOK_AFTER_S:
            self._gap_since = now
            return Chunk(KEEP_ALIVE)
        await asyncio.sleep(_LOOK_AGAIN_S)
        return None

    async def _look(self) -> Chunk | EarlyResponse | None:
        """Fetch what was missed: from kept frames, else from the log once the turn has ended."""
        try:
            kept = await self._output.read(self.turn)
            if kept and kept[-1].kind == "A" and not self._begun:
                return EarlyResponse(kept[-1].first, kept[-1].body, kept[-1].count)
            if following := self._following(kept):
                # What was heard meanwhile follows; what is in both is skipped by its number.
                self._fetched["kept"] += following[-1].end - self._next
                self._queue = deque([*following, *self._queue])
                self._queued_bytes = sum(len(message.body) for message in self._queue)
                return None
            return await self._from_log()
        except LogUnavailableError:
            return None

    async def _from_log(self) -> Chunk | EarlyResponse | None:
        recorded = await self._log.read(*self.turn)
        turn = fold([each.event for each in recorded])
        if isinstance(turn, ClosedTurn) and turn.closed.stored:
            frames = stream_of(turn)
            if self._next > len(frames):
                return broken_off(self._next, f"the response has {len(frames)} events")
            del frames[: self._next]
            self._fetched["log"] += len(frames)
            return Chunk(b"".join([*frames, DONE]), last=True)
        failure = failure_of(turn)
        if failure is not None and not self._begun:
            return early_failure(failure)
        if isinstance(turn, ClosedTurn | Erased) and self._is_over():
            return broken_off(self._next, "its content was not stored")
        return None

    def _is_over(self) -> bool:
        """Tell whether nothing more can come of a turn that has ended and was not stored."""
        now = asyncio.get_running_loop().time()
        self._over_since = self._over_since or now
        return not self._epoch or now - self._over_since >= _UNSTORED_WITHIN_S

    def _following(self, kept: list[FrameMessage]) -> list[FrameMessage]:
        """Give what follows what was read; lost frames come where they were published again.

        An owner that did not know of a former one's frames has told others in their place. What an
        owner told before its successor announced itself counts, if that announcement is kept.
        """
        following: list[FrameMessage] = []
        reached, epoch = self._next, self._epoch
        is_known = any(message.epoch >= self._newest_epoch for message in kept)
        newest = epoch if is_known else self._newest_epoch
        for message in kept:
            newest = max(newest, message.epoch)
            if message.kind == "A" or message.announces_owner or message.epoch < newest:
                continue
            contradicts = self._contradicts(message)
            if epoch < message.epoch and message.first < reached and not contradicts:
                following = [each for each in following if each.end <= message.first]
                reached = following[-1].end if following else self._next
            if contradicts or message.first <= reached < message.end:
                following.append(message)
                reached, epoch = max(reached, message.end), message.epoch
        return following
