"""Frames in memory: the double that tests of handlers use."""

from collections import defaultdict

from turnwire_chassis.output_log import Watcher
from turnwire_contracts.ids import ResponseId
from turnwire_contracts.wire.frames import FrameMessage


class MemoryOutputLog:
    """`OutputLog` inside one process."""

    def __init__(self) -> None:
        """Start empty."""
        self._kept: dict[ResponseId, list[FrameMessage]] = defaultdict(list)
        self._watchers: dict[ResponseId, list[Watcher]] = defaultdict(list)
        self._waiting: dict[ResponseId, list[Watcher]] = defaultdict(list)

    async def publish(self, response_id: ResponseId, message: FrameMessage) -> None:
        """See `OutputLog.publish`."""
        self._kept[response_id].append(message)
        for watcher in list(self._watchers[response_id]):
            watcher(message)

    async def answer(self, response_id: ResponseId, message: FrameMessage) -> None:
        """See `OutputLog.answer`."""
        for watcher in list(self._waiting[response_id]):
            watcher(message)

    async def watch(self, response_id: ResponseId, watcher: Watcher) -> "MemoryWatch":
        """See `OutputLog.watch`."""
        return MemoryWatch(self._watchers[response_id], watcher)

    async def await_answer(self, response_id: ResponseId, watcher: Watcher) -> "MemoryWatch":
        """See `OutputLog.await_answer`."""
        return MemoryWatch(self._waiting[response_id], watcher)

    async def read(self, response_id: ResponseId) -> list[FrameMessage]:
        """See `OutputLog.read`."""
        return list(self._kept[response_id])

    async def forget(self, response_id: ResponseId) -> None:
        """See `OutputLog.forget`."""
        self._kept.pop(response_id, None)


class MemoryWatch:
    """One watcher in a list of them."""

    def __init__(self, watchers: list[Watcher], watcher: Watcher) -> None:
        """Join the list until `stop`."""
        self._watchers = watchers
        self._watcher = watcher
        watchers.append(watcher)

    async def stop(self) -> None:
        """See `Watch.stop`."""
        if self._watcher in self._watchers:
            self._watchers.remove(self._watcher)
