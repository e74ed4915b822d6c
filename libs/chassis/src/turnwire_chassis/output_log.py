"""The port to the frames of live turns: written by a turn's owner, watched by gateways."""

from collections.abc import Callable
from typing import Protocol

from turnwire_contracts.ids import TurnKey
from turnwire_contracts.wire.frames import FrameMessage

Watcher = Callable[[FrameMessage], None]
"""Is called for every message as it comes; must not block."""


class Watch(Protocol):
    """Somebody listens to one response; it ends with `stop`."""

    async def stop(self) -> None:
        """Stop listening."""
        ...


class OutputLog(Protocol):
    """Frames as they come, and for a while those that came."""

    async def publish(self, turn: TurnKey, message: FrameMessage) -> None:
        """Send frames to all who watch and keep them; not confirmed, a gap shows in the numbers."""
        ...

    async def answer(self, turn: TurnKey, message: FrameMessage) -> None:
        """Send the answer of a plain turn to who waits for it; nothing keeps it."""
        ...

    async def watch(self, turn: TurnKey, watcher: Watcher) -> Watch:
        """Listen to the frames of a response from now on."""
        ...

    async def await_answer(self, turn: TurnKey, watcher: Watcher) -> Watch:
        """Listen for the answer of a plain turn."""
        ...

    async def read(self, turn: TurnKey) -> list[FrameMessage]:
        """Give the messages that are still kept, in the order they were written."""
        ...

    async def forget(self, turn: TurnKey) -> None:
        """Drop what is kept of a response."""
        ...
