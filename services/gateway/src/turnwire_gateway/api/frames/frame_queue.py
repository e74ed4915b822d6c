"""What a reader of frames has heard and was not given yet, in bounded memory."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable

from turnwire_contracts.wire.frames import FrameMessage

MOST_QUEUED_BYTES = 1024 * 1024
"""What may wait for one reader."""
MOST_QUEUED_BYTES_OF_ALL = 64 * 1024 * 1024
"""What may wait for all readers of a gateway together."""


class QueuedBytes:
    """How many bytes wait for the readers of one gateway."""

    def __init__(self, most: int = MOST_QUEUED_BYTES_OF_ALL) -> None:
        self.most = most
        self.count = 0

    @property
    def room(self) -> int:
        """How many more may wait."""
        return max(0, self.most - self.count)


class FrameQueue:
    """The messages for one reader, in the order in which they came.

    Where too much waits, what comes is not kept. It is in the stream of frames, from which a reader
    that can read again fetches it; till it has, nothing live is kept.
    """

    def __init__(self, of_all: QueuedBytes, number: int) -> None:
        """`number`: of the frame that its reader is given first."""
        self.next = number
        """The number of the frame that comes next."""
        self.missed = 0
        """Up to which number frames came that were not kept."""
        self.news = asyncio.Event()
        """Set when there is something to look at, here or at the feed."""
        self.forward: Callable[[bytes], bool] | None = None
        """Writes a frame for its reader at once, or tells that it has to wait."""
        self._waits = False
        self._of_all = of_all
        self._messages: deque[FrameMessage] = deque()
        self._bytes = 0
        self._newest_epoch = 0

    def __len__(self) -> int:
        """How many messages there are."""
        return len(self._messages)

    @property
    def first(self) -> FrameMessage:
        """The next message; there must be one."""
        return self._messages[0]

    @property
    def has_next(self) -> bool:
        """Whether the frame that comes next stands first."""
        return bool(self._messages) and self._messages[0].first <= self.next

    @property
    def has_missed(self) -> bool:
        """Whether frames have to be fetched that were not kept."""
        return self.missed > self.next

    @property
    def is_over_full(self) -> bool:
        """Whether more was fetched than may wait for long."""
        return self._bytes > MOST_QUEUED_BYTES

    def forwards(self, message: FrameMessage) -> bool:
        """Give a live frame that comes next to a reader that waits for it, past the queue.

        Not the end, behind which more is written. What cannot be written at once waits here.
        """
        follows = self._waits and message.kind == "F" and message.first == self.next
        if not follows or self._messages or self.forward is None:
            return False
        if has_left := self.forward(message.body):
            self.next = message.end
        return has_left

    def hear(self, message: FrameMessage) -> None:
        """Take a live message, or note that it was missed.

        The first message of an owner always has its place: it may contradict what was told.
        """
        size = len(message.body)
        if message.epoch > self._newest_epoch or message.kind == "A":
            self._newest_epoch = max(self._newest_epoch, message.epoch)
        elif self.missed > self.next or (
            not self._waits
            and (
                self._bytes + size > MOST_QUEUED_BYTES
                or self._of_all.count + size > self._of_all.most
            )
        ):
            self.missed = max(self.missed, message.end)
            self.news.set()
            return
        self._waits = False
        self._messages.append(message)
        self._count(size)
        self.news.set()

    async def wait(self) -> None:
        """Wait for news. A message that comes now is taken, whatever its size."""
        self.news.clear()
        self._waits = True
        try:
            await self.news.wait()
        finally:
            self._waits = False

    def drop_first(self) -> None:
        """Remove the next message."""
        self._count(-len(self._messages.popleft().body))

    def put_first(self, messages: Iterable[FrameMessage]) -> None:
        """Put what was fetched in front of what was heard."""
        fetched = list(messages)
        self._messages.extendleft(reversed(fetched))
        self._count(sum(len(message.body) for message in fetched))

    def give_up(self) -> None:
        """Forget all that was fetched or heard; it is fetched again when it is asked for."""
        ends = [message.end for message in self._messages if message.kind != "A"]
        self.missed = max([self.missed, *ends])
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._messages.clear()
        self._count(-self._bytes)

    def _count(self, size: int) -> None:
        self._bytes += size
        self._of_all.count += size
