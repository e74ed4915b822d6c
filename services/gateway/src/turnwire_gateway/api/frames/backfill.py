"""What a reader of frames has missed, fetched piece by piece and never whole."""

from collections.abc import Sequence

from turnwire_chassis.output_log import KeptFrames, OutputLog
from turnwire_contracts.ids import TurnKey
from turnwire_contracts.wire.frames import FrameMessage

MOST_FETCHED_BYTES = 512 * 1024
"""What is fetched at once; one message at least."""
_MESSAGE_BYTES = 64 * 1024


class Backfill:
    """Reads the kept frames of one response from the place that its reader has reached."""

    def __init__(self, output: OutputLog, turn: TurnKey) -> None:
        self._output = output
        self._turn = turn
        self._place = 0
        self._was_fruitless = False
        self.known_end = 0
        """Up to which number frames are kept, as far as is known."""

    async def read(self, number: int, epoch: int, *, begun: bool) -> list[FrameMessage]:
        """Give kept messages that follow, from the frame `number` on, after those of `epoch`.

        A refusal is given to a reader that has not `begun`. Nothing means that nothing follows yet.
        After the second time in a row all is read from the start on, as a broker that has lost its
        memory counts anew. Raises `LogUnavailableError`.
        """
        while True:
            page = await self._read(self._place)
            if page.place == self._place:
                self._place = 0 if self._was_fruitless else self._place
                self._was_fruitless = not self._was_fruitless
                return []
            if page.messages and page.messages[-1].kind == "A" and not begun:
                return [page.messages[-1]]
            found = following(page.messages, number, epoch)
            newest = page.newest
            if found and newest is not None and newest.epoch > found[-1].epoch:
                found = await self._told_by_later_owners(page, found)
            self._place = page.place
            if newest is not None and newest.kind != "A":
                self.known_end = newest.end
            if found:
                self._was_fruitless = False
                return found

    async def _told_by_later_owners(
        self, page: KeptFrames, found: list[FrameMessage]
    ) -> list[FrameMessage]:
        """Leave out what an owner behind this page has told otherwise, not knowing of it."""
        epoch, place = found[-1].epoch, 0
        while page.place > place:
            place = page.place
            page = await self._read(place)
            for message in page.messages:
                if message.kind != "A" and message.epoch > epoch:
                    found = [each for each in found if each.end <= message.first]
        return found

    async def _read(self, place: int) -> KeptFrames:
        return await self._output.read_after(self._turn, place, MOST_FETCHED_BYTES)


def contradicts(message: FrameMessage, number: int, epoch: int) -> bool:
    """Tell whether a new owner repeats numbers that a reader has seen from the old one.

    `number` is that of the frame which the reader needs next, `epoch` that of whom it heard last.
    """
    return 0 < epoch < message.epoch and message.first < number


def following(kept: Sequence[FrameMessage], number: int, epoch: int) -> list[FrameMessage]:
    """Give what follows what was read; lost frames come where they were published again.

    An owner that did not know of a former one's frames has told others in their place.
    """
    found: list[FrameMessage] = []
    reached, newest = number, epoch
    for message in kept:
        if message.kind == "A" or message.epoch < newest:
            continue
        is_otherwise = contradicts(message, number, epoch)
        if newest < message.epoch and message.first < reached and not is_otherwise:
            found = [each for each in found if each.end <= message.first]
            reached = found[-1].end if found else number
        if is_otherwise or message.first <= reached < message.end:
            found.append(message)
            reached, newest = max(reached, message.end), message.epoch
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
