"""The frames of one response for one reader: in order, without gaps, in bounded memory."""

import asyncio
from collections import deque

import orjson
from msgspec import Struct

from turnwire_chassis.event_log import EventLog, LogUnavailableError
from turnwire_chassis.output_log import OutputLog, Watch
from turnwire_chassis.telemetry import metrics
from turnwire_contracts.ids import TurnKey
from turnwire_contracts.json_values import mapping
from turnwire_contracts.turn import ClosedTurn, Erased, fold
from turnwire_contracts.wire.frames import DONE, KEEP_ALIVE, FrameMessage, FrameWriter, tail
from turnwire_contracts.wire.stream import stream_of
from turnwire_gateway.answers.errors import gateway_stopping

_MOST_QUEUED_BYTES = 1024 * 1024
_LOOK_AFTER_S = 5.0
"""A reader that has heard nothing for so long looks whether it missed something."""

_GIVE_UP_AFTER_LOOKS = 12
"""So many fruitless looks in front of a known gap end the stream with an error."""


class Answer(Struct, frozen=True):
    """The turn ended before its stream began: a plain HTTP answer."""

    status: int
    body: bytes
    retry_after_s: int = 0
    """In how many seconds it may go better; 0: that is not known."""


class Chunk(Struct, frozen=True):
    """Bytes for the wire."""

    body: bytes
    last: bool = False


class Logs(Struct, frozen=True):
    """Where frames come from."""

    events: EventLog
    output: OutputLog


class Feed:
    """Puts live frames and kept ones together."""

    def __init__(self, logs: Logs, turn: TurnKey, joins_at: int | None = None) -> None:
        """Read a stream that has yet to begin, or join one at the `sequence_number` `joins_at`."""
        self._output = logs.output
        self._log = logs.events
        self.turn = turn
        self._next = joins_at or 0
        self._epoch = 0
        self._queue: deque[FrameMessage] = deque()
        self._queued_bytes = 0
        self._news = asyncio.Event()
        self._watch: Watch | None = None
        self._looks = 0
        self._begun = self._idle = joins_at is not None
        self._ticker: asyncio.TimerHandle | None = None
        self._joined_at = self._next
        self._fetched = {"kept": 0, "log": 0}
        self.left = False
        """Whether the reader has gone."""
        self.handed_over = False
        """Whether this process ends, so that the rest is to be read elsewhere."""

    async def start(self) -> None:
        """Listen; frames are complete from here on."""
        metrics.STREAMS_OPEN().inc()
        self._watch = await self._output.watch(self.turn, self._heard)
        self._tick_later()

    async def stop(self) -> None:
        """Stop listening."""
        metrics.STREAMS_OPEN().dec()
        if self._ticker is not None:
            self._ticker.cancel()
        if self._watch is not None:
            await self._watch.stop()

    def look(self) -> None:
        """Look at once for what was written before: the turn is not new."""
        self._idle = True
        self._news.set()

    @property
    def sent(self) -> dict[str, int]:
        """How many frames were given, by where they came from."""
        live = max(0, self._next - self._joined_at - self._fetched["kept"])
        return {"live": live, **self._fetched}

    def leave(self) -> None:
        """Wake whoever waits in `read`: the reader has gone."""
        self.left = True
        self._news.set()

    def hand_over(self) -> None:
        """Wake whoever waits in `read`: what was not read yet is read elsewhere."""
        self.handed_over = True
        self._news.set()

    async def read(self) -> Chunk | Answer | None:
        """Give what comes next, waiting for it; `None` once the reader or this process goes."""
        while not self.left:
            if self.handed_over:
                return None if self._begun else _stopping(self.turn)
            if self._idle:
                self._idle = False
                if not self._queue and (chunk := await self._idle_chunk()):
                    return chunk
            if not self._queue:
                self._news.clear()
                await self._news.wait()
                continue
            chunk = await self._from_queue()
            if chunk is not None:
                return chunk
        return None

    async def _idle_chunk(self) -> Chunk | Answer | None:
        """Give what was missed, else a sign of life; but none before the stream has begun.

        A turn that fails before its first frame is answered with a plain HTTP error.
        """
        chunk = await self._look()
        if chunk is None and not self._queue and self._begun:
            return Chunk(KEEP_ALIVE)
        return chunk

    def _tick(self) -> None:
        self._idle = not self._queue
        if self._idle:
            self._news.set()
        self._tick_later()

    def _tick_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._ticker = loop.call_later(_LOOK_AFTER_S, self._tick)

    def _heard(self, message: FrameMessage) -> None:
        self._queued_bytes += len(message.body)
        if self._queued_bytes > _MOST_QUEUED_BYTES:
            # A slow reader: what is dropped here shows as a gap and is fetched when it can read.
            self._queue.clear()
            self._queued_bytes = len(message.body)
        self._queue.append(message)
        self._news.set()

    async def _from_queue(self) -> Chunk | Answer | None:
        bodies: list[bytes] = []
        last = False
        while self._queue and not last:
            message = self._queue[0]
            if message.kind == "A":
                self._drop_first()
                if not self._begun:
                    return Answer(message.first, message.body, message.count)
                # Once bytes are out it is too late for an HTTP error: the log tells it as frames.
                return await self._from_log() or _refused(self._next, message.body)
            if message.epoch < self._epoch or message.end <= self._next:
                self._drop_first()
                continue
            if self._contradicts(message):
                return _broken_off(self._next, "another owner of the response told it differently")
            if message.first > self._next:
                if bodies:
                    break
                return await self._look()
            bodies.append(tail(message, self._next))
            self._begun = True
            self._next, self._epoch, self._looks = message.end, message.epoch, 0
            last = message.kind == "E"
            self._drop_first()
        if last:
            bodies.append(DONE)
        return Chunk(b"".join(bodies), last) if bodies else None

    def _contradicts(self, message: FrameMessage) -> bool:
        """Tell whether a new owner repeats numbers that this reader has seen from the old one.

        The last message of a turn may: it is written from the log, byte for byte the same.
        """
        newer = 0 < self._epoch < message.epoch
        return newer and message.kind == "F" and message.first < self._next

    def _drop_first(self) -> None:
        self._queued_bytes -= len(self._queue.popleft().body)

    async def _look(self) -> Chunk | Answer | None:
        """Fetch what was missed: from kept frames, else from the log once the turn has ended."""
        try:
            kept = await self._output.read(self.turn)
            if kept and kept[-1].kind == "A" and not self._begun:
                return Answer(kept[-1].first, kept[-1].body, kept[-1].count)
            wanted = [
                message for message in kept if message.kind != "A" and message.end > self._next
            ]
            if wanted and wanted[0].first <= self._next:
                # What was heard meanwhile follows; what stands in both is skipped by its number.
                self._fetched["kept"] += wanted[-1].end - self._next
                self._queue = deque([*wanted, *self._queue])
                self._queued_bytes = sum(len(message.body) for message in self._queue)
                return None
            return await self._from_log()
        except LogUnavailableError:
            return None

    async def _from_log(self) -> Chunk | None:
        recorded = await self._log.read(*self.turn)
        turn = fold([each.event for each in recorded])
        if isinstance(turn, ClosedTurn) and turn.closed.stored:
            frames = stream_of(turn)[self._next :]
            self._fetched["log"] += len(frames)
            return Chunk(b"".join([*frames, DONE]), last=True)
        if isinstance(turn, ClosedTurn | Erased):
            return _broken_off(self._next, "its content was not stored")
        if self._queue:
            # A gap that nobody fills: its frames are lost, and the turn still runs.
            self._looks += 1
            if self._looks >= _GIVE_UP_AFTER_LOOKS:
                return _broken_off(self._next, "frames were lost")
            await asyncio.sleep(0.25)
        return None


def _stopping(turn: TurnKey) -> Answer:
    """Answer who has not seen any frame, and so does not know the id."""
    error = gateway_stopping(turn.response_id)
    return Answer(error.failure.http_status, orjson.dumps(error.body))


def _broken_off(number: int, reason: str) -> Chunk:
    """End a stream that cannot go on."""
    metrics.HTTP_ERRORS("stream_interrupted").inc()
    message = f"The stream cannot go on: {reason}. Retrieve the response by its id."
    return _error(number, "stream_interrupted", message)


def _refused(number: int, envelope: bytes) -> Chunk:
    """Say a plain refusal inside a stream that has begun."""
    error = mapping(mapping(orjson.loads(envelope)).get("error"))
    return _error(number, str(error.get("code")), str(error.get("message")))


def _error(number: int, code: str, message: str) -> Chunk:
    """End with the flat `error` event of OpenAI's streams."""
    frames = FrameWriter(number)
    frames.event("error", {"code": code, "message": message, "param": None})
    return Chunk(b"".join([*frames.take()[1], DONE]), last=True)
