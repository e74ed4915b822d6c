"""The event log in memory: the double that tests of handlers use; it keeps the port's promises."""

from collections import defaultdict

from turnwire_chassis.event_log import FencedError, Recorded
from turnwire_contracts import codec
from turnwire_contracts.events import AnyEvent, kind_of
from turnwire_contracts.ids import ResponseId, TenantId


class MemoryEventLog:
    """`EventLog` without durability; events go through the codec as in the real one."""

    def __init__(self) -> None:
        """Start empty."""
        self._turns: dict[tuple[TenantId, ResponseId], list[Recorded]] = defaultdict(list)
        self._sequence = 0

    async def append(self, event: AnyEvent, expected: int | None) -> int:
        """See `EventLog.append`."""
        turn = self._turns[event.tenant, event.response_id]
        last = turn[-1].sequence if turn else 0
        if expected is not None and expected != last:
            for recorded in turn:
                if recorded.sequence > expected and recorded.event == event:
                    return recorded.sequence
            raise FencedError(event.response_id)
        self._sequence += 1
        copy = codec.decode(kind_of(event), codec.encode(event))
        turn.append(Recorded(self._sequence, copy))
        return self._sequence

    async def read(self, tenant: TenantId, response_id: ResponseId) -> list[Recorded]:
        """See `EventLog.read`."""
        return list(self._turns[tenant, response_id])

    async def erase(self, recorded: Recorded) -> None:
        """See `EventLog.erase`."""
        turn = self._turns[recorded.event.tenant, recorded.event.response_id]
        turn[:] = [kept for kept in turn if kept.sequence != recorded.sequence]
