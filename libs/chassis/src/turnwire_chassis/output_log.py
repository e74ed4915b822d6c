"""The port to the frames of live turns: written by a turn's owner, watched by gateways."""

from collections.abc import Callable
from typing import Protocol

from turnwire_contracts.ids import TurnKey
from turnwire_contracts.wire.frames import FrameMessage

Watcher = Callable[[FrameMessage], None]
"""Is called for every message as it comes; must not block."""


class FrameSubscription(Protocol):
    """A subscription to the frames of one response, until `stop`."""

    async def stop(self) -> None:
        """End the subscription; a second call changes nothing."""
        ...


class OutputLog(Protocol):
    """The frames of live turns, and for a while those that were sent."""

    async def publish(self, turn: TurnKey, message: FrameMessage) -> None:
        """Send frames to all watchers, and keep them.

        Nothing is confirmed: a frame that is lost is a gap in the sequence numbers.
        """
        ...

    async def answer(self, turn: TurnKey, message: FrameMessage) -> None:
        """Send the answer of a plain turn to the gateway that waits for it; nothing keeps it."""
        ...

    async def watch(self, turn: TurnKey, watcher: Watcher) -> FrameSubscription:
        """Call `watcher` for every message of a response from now on, until `stop`."""
        ...

    async def await_answer(self, turn: TurnKey, watcher: Watcher) -> FrameSubscription:
        """Call `watcher` for the answer of a plain turn, until `stop`."""
        ...

    async def read(self, turn: TurnKey) -> list[FrameMessage]:
        """Give the messages that are still kept, in the order they were sent.

        Raises `LogUnavailableError`.
        """
        ...

    async def forget(self, turn: TurnKey) -> None:
        """Drop what is kept of a response."""
        ...
