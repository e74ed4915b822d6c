"""What a reader of frames has missed, fetched piece by piece and never whole."""

from collections.abc import AsyncIterator, Iterable, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from turnwire_chassis.event_log import EventLog, LogUnavailableError
from turnwire_chassis.output_log import KeptFrames, OutputLog
from turnwire_contracts.events import TakenOver
from turnwire_contracts.ids import TurnKey
from turnwire_contracts.wire.frames import FrameMessage
from turnwire_gateway.api.frames.frame_queue import QueuedBytes

MOST_FETCHED_BYTES = 512 * 1024
"""What is fetched at once; one message at least."""
_MESSAGE_BYTES = 64 * 1024


class Logs(Struct, frozen=True):
    """Where frames come from."""

    events: EventLog
    output: OutputLog
    queued: QueuedBytes = field(default_factory=QueuedBytes)
    """What waits for the readers of this gateway."""


class ReaderEpochs(Struct, frozen=True):
    """Whom a reader listens to."""

    last: int
    """The epoch of whom it was given frames last; 0: none yet."""
    newest: int
    """The newest epoch that it has heard of."""


class Backfill:
    """Reads the kept frames of one response from the place that its reader has reached."""

    def __init__(self, output: OutputLog, turn: TurnKey) -> None:
        self._output = output
        self._turn = turn
        self._place = self._newest_epoch = 0
        self._last: FrameMessage | None = None
        self.known_end = 0
        """Up to which number frames are kept, as far as is known."""
        self._has_end = False

    def is_behind_end(self, number: int) -> bool:
        """Tell whether the end of the response is kept, and has a number before this one."""
        return self._has_end and self.known_end <= number

    async def read(self, number: int, epochs: ReaderEpochs, *, begun: bool) -> list[FrameMessage]:
        """Give kept messages that follow, from the frame `number` on.

        A refusal is given to a reader that has not `begun`. Nothing means that nothing follows yet.
        Raises `LogUnavailableError`.
        """
        if self._place and not await self._is_still_there():
            self._place = self._newest_epoch = 0
        while True:
            page = await self._read(self._place)
            if page.place == self._place:
                return []
            if page.messages and page.messages[-1].kind == "A" and not begun:
                return [page.messages[-1]]
            found = await self._following(page, number, epochs)
            newest = page.newest
            if newest is not None and newest.kind != "A" and newest.epoch >= epochs.newest:
                self.known_end, self._has_end = newest.end, newest.kind == "E"
            self._newest_epoch = max(self._newest_epoch, _newest_epoch(page.messages))
            self._place = page.place
            self._last = _without_body(page.messages[-1]) if page.messages else None
            if found:
                return found

    async def _is_still_there(self) -> bool:
        """Tell whether what was read last is kept where it was.

        A broker that has lost its memory counts anew: what it keeps now stands before that place,
        too, and may tell otherwise what its reader was given.
        """
        page = await self._output.read_after(self._turn, self._place - 1, 1)
        if page.place != self._place:
            return False
        return [*map(_without_body, page.messages)] == [self._last]

    async def _following(
        self, page: KeptFrames, number: int, epochs: ReaderEpochs
    ) -> list[FrameMessage]:
        """Give what follows of a page, and what no owner behind it has told otherwise."""
        is_kept = await self._keeps(page, epochs.newest)
        oldest = max(epochs.last, self._newest_epoch) if is_kept else epochs.newest
        found = following(page.messages, number, epochs.last, oldest)
        newest = max(epochs.newest, page.newest.epoch if page.newest is not None else 0)
        if found and newest > found[-1].epoch:
            return await self._told_by_later_owners(page, found)
        return found

    async def _keeps(self, page: KeptFrames, epoch: int) -> bool:
        """Tell whether something of an owner so new is kept, its announcement at least."""
        ends = [page.newest] if page.newest is not None else []
        if max(self._newest_epoch, _newest_epoch([*page.messages, *ends])) >= epoch:
            return True
        async for message in self._behind(page):
            if message.epoch >= epoch:
                return True
        return False

    async def _told_by_later_owners(
        self, page: KeptFrames, found: list[FrameMessage]
    ) -> list[FrameMessage]:
        """Leave out what an owner behind this page has told otherwise, not knowing of it."""
        epoch = newest = found[-1].epoch
        async for message in self._behind(page):
            newest = max(newest, message.epoch)
            if message.kind == "A" or message.announces_owner:
                continue
            if epoch < message.epoch == newest:
                found = [each for each in found if each.end <= message.first]
        return found

    async def _behind(self, page: KeptFrames) -> AsyncIterator[FrameMessage]:
        """Read what is kept behind a page, piece by piece."""
        place = self._place
        while page.place > place:
            place = page.place
            page = await self._read(place)
            for message in page.messages:
                yield message

    async def _read(self, place: int) -> KeptFrames:
        return await self._output.read_after(self._turn, place, MOST_FETCHED_BYTES)


def contradicts(message: FrameMessage, number: int, epoch: int) -> bool:
    """Tell whether a new owner repeats numbers that a reader has seen from the old one.

    `number` is that of the frame which the reader needs next, `epoch` that of whom it heard last.
    """
    return 0 < epoch < message.epoch and message.first < number


def _without_body(message: FrameMessage) -> FrameMessage:
    return replace(message, body=b"")


def _newest_epoch(messages: Iterable[FrameMessage]) -> int:
    return max((message.epoch for message in messages), default=0)


async def ended_by(events: EventLog, turn: TurnKey, epoch: int) -> bool:
    """Tell whether the owner `epoch` closed the turn: all later owners tell that end.

    It is not told while the log cannot be read.
    """
    try:
        recorded = await events.read(*turn)
    except LogUnavailableError:
        return False
    return epoch == 1 + sum(isinstance(each.event, TakenOver) for each in recorded)


def following(
    kept: Sequence[FrameMessage], number: int, epoch: int, newest: int
) -> list[FrameMessage]:
    """Give what follows what was read; lost frames come where they were published again.

    The reader was given the frames before `number`, the last of them by the owner `epoch`. Owners
    older than `newest` do not count. An owner that did not know of a former one's frames has told
    others in their place. What an owner told before its successor announced itself counts.
    """
    found: list[FrameMessage] = []
    reached, last = number, epoch
    for message in kept:
        newest = max(newest, message.epoch)
        if message.kind == "A" or message.announces_owner or message.epoch < newest:
            continue
        is_otherwise = contradicts(message, number, epoch)
        if last < message.epoch and message.first < reached and not is_otherwise:
            found = [each for each in found if each.end <= message.first]
            reached = found[-1].end if found else number
        if is_otherwise or message.first <= reached < message.end:
            found.append(message)
            reached, last = max(reached, message.end), message.epoch
    return found


def messages_of(
    frames: Sequence[bytes], number: int, epoch: int, most_bytes: int
) -> list[FrameMessage]:
    """Join the last frames of a response, from `number` on, to messages for a reader.

    There are so many as `most_bytes` hold, and one frame at least.
    """
    messages: list[FrameMessage] = []
    start = size = total = 0
    for end, frame in enumerate(frames, 1):
        size += len(frame)
        total += len(frame)
        is_last = end == len(frames)
        is_full = total >= most_bytes
        if is_last or is_full or size >= _MESSAGE_BYTES:
            kind = "E" if is_last else "F"
            body = b"".join(frames[start:end])
            messages.append(FrameMessage(kind, epoch, number + start, end - start, body))
            start, size = end, 0
        if is_full:
            break
    return messages
