"""The port to the event log, and what can go wrong with it."""

from typing import Protocol

from msgspec import Struct

from turnwire_contracts.events import AnyEvent
from turnwire_contracts.ids import ResponseId, TenantId


class Recorded(Struct, frozen=True):
    """An event with its place in the log."""

    sequence: int
    """Its place in the whole stream; grows with time."""
    event: AnyEvent


class FencedError(Exception):
    """The turn has moved on since the writer last read it; it must read again or stop."""


class LogUnavailableError(Exception):
    """The log did not confirm; the event may or may not be there, so read before trying again."""


class TooLargeError(Exception):
    """The event is larger than the broker takes."""


class EventLog(Protocol):
    """The only truth about turns."""

    async def append(self, event: AnyEvent, expected: int | None) -> int:
        """Add an event and give its sequence; when this returns it is durable.

        `expected` is the sequence of the turn's last event (0: it has none), `None` to add without
        an expectation. Doing it twice with the same expectation adds it once.
        Raises `FencedError`, `LogUnavailableError`, `TooLargeError`.
        """
        ...

    async def read(self, tenant: TenantId, response_id: ResponseId) -> list[Recorded]:
        """Give all events of one turn, oldest first; an unknown turn has none.

        Raises `LogUnavailableError`, `UnreadableEventError`.
        """
        ...

    async def erase(self, recorded: Recorded) -> None:
        """Remove one event and overwrite its bytes; one that is gone already is fine."""
        ...
