"""What readers of streams are shown: what the log rebuilds, once, in order, never taken back."""

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from simulation.streams import Stream
from turnwire_contracts import subjects
from turnwire_contracts.ids import ResponseId
from turnwire_contracts.wire.frames import DONE, KEEP_ALIVE, split, unpack

if TYPE_CHECKING:
    from simulation.laws import Laws

_HANDED_OVER: Final = b'"code":"gateway_stopping"'
_TERMINAL: Final = (
    b"response.completed",
    b"response.incomplete",
    b"response.failed",
    b"response.cancelled",
)


@dataclass(eq=False)
class Reading:
    """What one reader has seen of a stream."""

    response_id: ResponseId
    start: int
    frames: list[bytes] = field(default_factory=list[bytes])
    done: bool = False
    interrupted: bool = False


class ReaderLaws:
    """Follows the readers of all streams; raises `BrokenLawError`."""

    def __init__(self, laws: "Laws") -> None:
        """`laws` follow the log."""
        self.frames_lost: int = 0
        """How often the broker lost frames, so that a reader may know more than it."""
        self._laws = laws
        self._by_turn: dict[ResponseId, list[Reading]] = defaultdict(list)

    def ended(self, response_id: ResponseId) -> None:
        """Compare what readers have seen of a turn with its end."""
        for reading in self._by_turn[response_id]:
            self._compare(reading, 0)

    def published(self, subject: str, data: bytes) -> None:
        """Take what an owner publishes: the last frame only once the end is in the log."""
        response_id = ResponseId(subject.rpartition(".")[2])
        if data.startswith(b"E ") and not self._laws.has_ended(response_id):
            raise self._laws.broken("no end before it is durable", f"{response_id}: {data[:20]!r}")

    def opened(self, response_id: ResponseId, start: int) -> Reading:
        """Follow a reader that begins at a frame."""
        reading = Reading(response_id, start)
        self._by_turn[response_id].append(reading)
        return reading

    def read(self, reading: Reading, chunk: bytes) -> None:
        """Take what a reader was sent: frames in their order, nothing twice, nothing taken back."""
        if chunk == KEEP_ALIVE:
            return
        body = chunk.removesuffix(DONE)
        reading.done = reading.done or body != chunk
        first = len(reading.frames)
        for frame in split(body):
            number = reading.start + len(reading.frames)
            if frame.startswith(b"event: error") and _HANDED_OVER in frame:
                # No frame of the stream: who resumes behind its number misses nothing.
                if number and b'"sequence_number":%d,' % (number - 1) not in frame:
                    self._broken(reading, "no gap in a stream", f"frame {number} is {frame!r}")
                continue
            if frame.startswith(b"event: error"):
                reading.interrupted = True
                if b'"sequence_number":%d,' % number not in frame:
                    self._broken(reading, "no gap in a stream", f"frame {number} is {frame!r}")
                if not self.frames_lost and not self._laws.is_unstored(reading.response_id):
                    self._broken(reading, "no retraction", f"the stream was broken off: {frame!r}")
                continue
            if b'"sequence_number":%d,' % number not in frame:
                self._broken(reading, "no gap in a stream", f"frame {number} is {frame[:120]!r}")
            reading.frames.append(frame)
            if frame[7:].startswith(_TERMINAL) and not self._laws.has_ended(reading.response_id):
                self._broken(reading, "no end before it is durable", f"{frame[:80]!r}")
        self._laws.checks += 1
        self._compare(reading, first)

    def _compare(self, reading: Reading, first: int) -> None:
        """Frames = fold: what a reader saw is what the log rebuilds, from the first frame on."""
        expected = self._laws.turns[reading.response_id].frames
        if expected is None:
            if not self._laws.has_ended(reading.response_id):
                self._same_as_others(reading, first)
            return
        if reading.done:
            # Also what it saw while nobody could say yet whether the broker had lost some of it.
            first = 0
        seen, at = reading.frames[first:], reading.start + first
        told = expected[at : at + len(seen)]
        if told != seen and not self._excused(reading):
            pairs = enumerate(zip_longest(seen, told))
            wrong = next(number for number, (one, other) in pairs if one != other)
            detail = f"{seen[wrong]!r}, the log has {told[wrong : wrong + 1]!r}"
            self._broken(reading, "frames = fold", f"frame {at + wrong}: {detail}")
        is_whole = reading.done and not reading.interrupted
        if is_whole and len(reading.frames) != len(expected) - reading.start:
            self._broken(reading, "frames = fold", "the stream ended early")

    def _same_as_others(self, reading: Reading, first: int) -> None:
        """All readers of a turn that runs see the same."""
        if self.frames_lost:
            return
        for other in self._by_turn[reading.response_id]:
            if other is reading:
                continue
            for number in range(first, len(reading.frames)):
                at = reading.start + number - other.start
                if 0 <= at < len(other.frames) and other.frames[at] != reading.frames[number]:
                    self._broken(
                        reading, "no retraction", f"frame {number} differs between readers"
                    )

    def _excused(self, reading: Reading) -> bool:
        """A reader may have seen what nobody else can know, if the broker lost it: it is told."""
        return bool(self.frames_lost) and not (reading.done and not reading.interrupted)

    def _broken(self, reading: Reading, law: str, detail: str) -> None:
        kinds = self._laws.turns[reading.response_id].kinds
        raise self._laws.broken(law, f"{reading.response_id} {kinds}: {detail}")

    def frames_are_kept(self, output: Stream) -> None:
        """What readers have seen of a turn that runs is kept, for those who read or own it next."""
        for response_id, readings in self._by_turn.items():
            if response_id not in self._laws.turns or self._laws.has_ended(response_id):
                continue
            key = subjects.output(self._laws.turns[response_id].tenant, response_id)
            kept = 0
            for message in (unpack(each.data) for each in output.read(key, 1)):
                if message.kind != "A" and message.first <= kept:
                    kept = max(kept, message.end)
            for reading in readings:
                if reading.start + len(reading.frames) > kept:
                    self._broken(reading, "lost frames are published again", f"{kept} are kept")
