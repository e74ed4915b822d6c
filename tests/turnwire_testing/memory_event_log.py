"""The event log in memory: the double that tests of handlers use; it keeps the port's promises."""

from collections import defaultdict

from msgspec import Struct

from turnwire_chassis.event_log import FencedError, Recorded, RecordedConversation
from turnwire_contracts import codec
from turnwire_contracts.conversation_events import AnyConversationEvent, ConversationEvent
from turnwire_contracts.event_kinds import subject_of
from turnwire_contracts.events import AnyEvent
from turnwire_contracts.ids import ConversationId, ResponseId, TenantId

Event = AnyEvent | AnyConversationEvent


class _Kept(Struct, frozen=True):
    sequence: int
    event: Event


class MemoryEventLog:
    """`EventLog` without durability; events go through the codec as in the real one."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], list[_Kept]] = defaultdict(list)
        self._sequence = 0

    async def append(self, event: Event, expected: int | None) -> int:
        """See `EventLog.append`."""
        kept = self._kept[_key(event)]
        last = kept[-1].sequence if kept else 0
        if expected is not None and expected != last:
            for recorded in kept:
                if recorded.sequence > expected and recorded.event == event:
                    return recorded.sequence
            raise FencedError(_key(event))
        self._sequence += 1
        kept.append(_Kept(self._sequence, _copy(event)))
        return self._sequence

    async def read(
        self, tenant: TenantId, response_id: ResponseId, after: int = 0
    ) -> list[Recorded]:
        """See `EventLog.read`."""
        return [
            Recorded(kept.sequence, kept.event)
            for kept in self._kept[tenant, response_id]
            if not isinstance(kept.event, ConversationEvent) and kept.sequence > after
        ]

    async def read_conversation(
        self, tenant: TenantId, conversation_id: ConversationId, after: int = 0
    ) -> list[RecordedConversation]:
        """See `EventLog.read_conversation`."""
        return [
            RecordedConversation(kept.sequence, kept.event)
            for kept in self._kept[tenant, conversation_id]
            if isinstance(kept.event, ConversationEvent) and kept.sequence > after
        ]

    async def erase(self, recorded: Recorded | RecordedConversation) -> None:
        """See `EventLog.erase`."""
        kept = self._kept[_key(recorded.event)]
        kept[:] = [one for one in kept if one.sequence != recorded.sequence]


def _key(event: Event) -> tuple[str, str]:
    if isinstance(event, ConversationEvent):
        return event.tenant, event.conversation_id
    return event.tenant, event.response_id


def _copy(event: Event) -> Event:
    return codec.read_event(subject_of(event), codec.encode(event))
