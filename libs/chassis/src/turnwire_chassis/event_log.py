"""The port to the event log, and what can go wrong with it."""

from typing import Protocol

from msgspec import Struct

from turnwire_contracts.conversation_events import AnyConversationEvent
from turnwire_contracts.events import AnyEvent
from turnwire_contracts.ids import ConversationId, ResponseId, TenantId


class Recorded(Struct, frozen=True):
    """An event with its place in the log."""

    sequence: int
    """Its place in the whole stream; grows with time."""
    event: AnyEvent
    kept_at: str | None = None
    """When the broker kept it, as that writes times (`broker_times`); `None`: it is not known."""


class RecordedConversation(Struct, frozen=True):
    """An event of a conversation with its place in the log."""

    sequence: int
    event: AnyConversationEvent


class FencedError(Exception):
    """What the writer last read has moved on since; it must read again or stop."""


class LogUnavailableError(Exception):
    """The log did not confirm; the event may or may not be there, so read before trying again."""


class StorageFullError(LogUnavailableError):
    """There is no room for more; what was to begin something new is not there.

    Another event may be there if an attempt before was not answered.
    """


class TooLargeError(Exception):
    """The event is larger than the broker takes."""


class EventLog(Protocol):
    """The only truth about turns and conversations."""

    async def append(self, event: AnyEvent | AnyConversationEvent, expected: int | None) -> int:
        """Add an event and give its sequence; when this returns it is durable.

        `expected` is the sequence of the last event of that turn or conversation (0: it has none),
        `None` to add without an expectation. Doing it twice with the same expectation adds it once.
        Raises `FencedError`, `LogUnavailableError`, `TooLargeError`.
        """
        ...

    async def read(
        self, tenant: TenantId, response_id: ResponseId, after: int = 0
    ) -> list[Recorded]:
        """Give the events of one turn that come after the sequence `after`, oldest first.

        An unknown turn has none.

        Raises `LogUnavailableError`, `UnreadableEventError`.
        """
        ...

    async def read_conversation(
        self, tenant: TenantId, conversation_id: ConversationId, after: int = 0
    ) -> list[RecordedConversation]:
        """Give the events of one conversation that come after the sequence `after`, oldest first.

        Raises `LogUnavailableError`, `UnreadableEventError`.
        """
        ...

    async def erase(self, recorded: Recorded | RecordedConversation) -> None:
        """Remove one event and overwrite its bytes; one that is gone already is fine.

        Raises `LogUnavailableError`.
        """
        ...
