"""When a reader of frames looks for what it may have missed: once nothing has come for a while."""

import asyncio

from turnwire_gateway.api.frames.frame_queue import FrameQueue

LOOK_AFTER_S = 5.0
"""A reader that has heard nothing for so long looks whether it missed something."""


class SilenceTimer:
    """Watches the frames of one reader, and frees what a reader holds that does not read."""

    def __init__(self, queue: FrameQueue, *, is_due: bool) -> None:
        """`is_due`: whether to look at once."""
        self.is_due = is_due
        """Whether the reader is to look."""
        self.has_heard = False
        """Whether a frame has come since the last tick."""
        self._queue = queue
        self._ticked_at = -1
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Tick from now on."""
        self._handle = asyncio.get_running_loop().call_later(LOOK_AFTER_S, self._tick)

    def stop(self) -> None:
        """Tick no more."""
        if self._handle is not None:
            self._handle.cancel()

    def look(self) -> None:
        """Let the reader look at once."""
        self.is_due = True
        self._queue.news.set()

    def _tick(self) -> None:
        if not (self._queue or self.has_heard):
            self.look()
        elif self._queue.is_over_full and self._queue.next == self._ticked_at:
            self._queue.give_up()
        self.has_heard = False
        self._ticked_at = self._queue.next
        self.start()
