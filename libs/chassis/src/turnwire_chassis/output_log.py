"""The port to the frames of live turns: written by a turn's owner, watched by gateways."""

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from turnwire_contracts.ids import TurnKey
from turnwire_contracts.wire.frames import FrameMessage

Watcher = Callable[[FrameMessage], None]
"""Is called for every message as it comes; must not block."""


class KeptFrames(Struct, frozen=True):
    """Some of the messages that are kept of a response."""

    messages: list[FrameMessage]
    place: int
    """Behind which the next ones are; that which was asked for when there are none."""
    newest: FrameMessage | None
    """The last message that is kept, whether it is one of these or not; `None` when there are none
    of these."""


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

    async def read_after(self, turn: TurnKey, place: int, most_bytes: int) -> KeptFrames:
        """Give the next messages behind a place (0: all) until they have so many bytes.

        There is one at least, if any is left. Places are counted anew when the broker has lost what
        it kept. Raises `LogUnavailableError`.
        """
        ...

    async def end_kept_at(self, turn: TurnKey) -> str | None:
        """Give when the end of a response was kept, as the broker writes times (`broker_times`).

        `None`: it is kept no longer, or nothing streamed it. Raises `LogUnavailableError`.
        """
        ...

    async def forget(self, turn: TurnKey) -> None:
        """Drop what is kept of a response."""
        ...
