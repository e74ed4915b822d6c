"""What a replay shows of one event."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import msgspec

from turnwire_contracts.conversation_events import AnyConversationEvent
from turnwire_contracts.event_kinds import kind_of
from turnwire_contracts.events import AnyEvent

_SAID_BY_THE_HEADING = {"v", "tenant", "at", "cause"}
_LONGEST_VALUE = 200


@dataclass(frozen=True, slots=True)
class EventView:
    """One event and what it leads to."""

    sequence: int
    """Its place in the log."""
    event: AnyEvent | AnyConversationEvent
    facts: list[str]
    """What it tells, a line each; long values are cut."""
    state: str
    next_step: str
    """What would be done next."""

    @property
    def kind(self) -> str:
        """The kind of the event."""
        return kind_of(self.event)

    @property
    def heading(self) -> str:
        """Which event it is, when it happened, and why."""
        event = self.event
        when = datetime.fromtimestamp(event.at / 1000, UTC).isoformat(timespec="milliseconds")
        return f"#{self.sequence} {self.kind} v{event.v}  {when}  cause {event.cause}"


class PlacedEvent(Protocol):
    """An event with its place in the log."""

    @property
    def sequence(self) -> int:
        """Its place in the log; it grows with time."""
        ...

    @property
    def event(self) -> AnyEvent | AnyConversationEvent:
        """What happened."""
        ...


def facts_of(event: AnyEvent | AnyConversationEvent, owner: str) -> list[str]:
    """Say what the event tells beyond its heading, a line each; `owner` names whose event it is."""
    return [
        f"{name}: {_shortened(msgspec.json.encode(value).decode())}"
        for name, value in msgspec.to_builtins(event).items()
        if name not in _SAID_BY_THE_HEADING and name != owner
    ]


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}… ({len(text)})"
