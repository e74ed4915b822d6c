"""Frames in memory: the double that tests of handlers use."""

from collections import defaultdict

from turnwire_chassis.output_log import KeptFrames, Watcher
from turnwire_contracts.ids import TurnKey
from turnwire_contracts.wire.frames import FrameMessage


class MemoryOutputLog:
    """`OutputLog` inside one process."""

    def __init__(self) -> None:
        self.end_at = "2025-11-28T18:38:21.299Z"
        """When the ends of responses were kept."""
        self._kept: dict[TurnKey, list[FrameMessage]] = defaultdict(list)
        self._watchers: dict[TurnKey, list[Watcher]] = defaultdict(list)
        self._waiting: dict[TurnKey, list[Watcher]] = defaultdict(list)

    async def publish(self, turn: TurnKey, message: FrameMessage) -> None:
        """See `OutputLog.publish`."""
        self._kept[turn].append(message)
        for watcher in list(self._watchers[turn]):
            watcher(message)

    async def answer(self, turn: TurnKey, message: FrameMessage) -> None:
        """See `OutputLog.answer`."""
        for watcher in list(self._waiting[turn]):
            watcher(message)

    async def watch(self, turn: TurnKey, watcher: Watcher) -> "MemoryFrameSubscription":
        """See `OutputLog.watch`."""
        return MemoryFrameSubscription(self._watchers[turn], watcher)

    async def await_answer(self, turn: TurnKey, watcher: Watcher) -> "MemoryFrameSubscription":
        """See `OutputLog.await_answer`."""
        return MemoryFrameSubscription(self._waiting[turn], watcher)

    async def read(self, turn: TurnKey) -> list[FrameMessage]:
        """See `OutputLog.read`."""
        return list(self._kept[turn])

    async def read_after(self, turn: TurnKey, place: int, most_bytes: int) -> KeptFrames:
        """See `OutputLog.read_after`."""
        kept = await self.read(turn)
        messages: list[FrameMessage] = []
        while place + len(messages) < len(kept):
            messages.append(kept[place + len(messages)])
            if sum(max(1, len(each.body)) for each in messages) >= most_bytes:
                break
        return KeptFrames(messages, place + len(messages), kept[-1] if messages else None)

    async def end_kept_at(self, turn: TurnKey) -> str | None:
        """See `OutputLog.end_kept_at`."""
        kept = self._kept[turn]
        return self.end_at if kept and kept[-1].kind == "E" else None

    async def forget(self, turn: TurnKey) -> None:
        """See `OutputLog.forget`."""
        self._kept.pop(turn, None)


class MemoryFrameSubscription:
    """One watcher in a list of them."""

    def __init__(self, watchers: list[Watcher], watcher: Watcher) -> None:
        self._watchers = watchers
        self._watcher = watcher
        watchers.append(watcher)

    async def stop(self) -> None:
        """See `FrameSubscription.stop`."""
        if self._watcher in self._watchers:
            self._watchers.remove(self._watcher)
