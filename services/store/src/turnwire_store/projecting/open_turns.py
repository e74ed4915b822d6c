"""Turns that have begun and not ended, kept in memory within a limit of bytes.

Nothing depends on this memory: a turn that is not here when it ends is read from the log.
"""

from collections import OrderedDict

from msgspec import Struct

from turnwire_contracts.events import AnyEvent, ItemsAdded, Requested
from turnwire_contracts.ids import ResponseId
from turnwire_contracts.turn import (
    ClosedTurn,
    Erased,
    ImpossibleEventError,
    Refused,
    Sampling,
    Screening,
    Unborn,
    evolve,
)

Open = Screening | Sampling | Refused


class _Held(Struct):
    turn: Open
    size: int


class OpenTurns:
    """Folds the events of all turns as they come."""

    def __init__(self, limit_bytes: int) -> None:
        """Keep about `limit_bytes` of events; the oldest turns are forgotten first."""
        self._limit = limit_bytes
        self._size = 0
        self._held: OrderedDict[ResponseId, _Held] = OrderedDict()

    def fold(self, event: AnyEvent, size: int) -> ClosedTurn | None:
        """Take an event of `size` bytes; gives the turn if it is known here and ends with it.

        Raises `ImpossibleEventError`; the turn is then forgotten, so that the log decides.
        """
        held = self._held.get(event.response_id)
        if held is None and not isinstance(event, Requested | ItemsAdded):
            return None
        try:
            turn = evolve(Unborn() if held is None else held.turn, event)
        except ImpossibleEventError:
            self.forget(event.response_id)
            raise
        match turn:
            case ClosedTurn():
                self.forget(event.response_id)
                return turn
            case Screening() | Sampling() | Refused():
                self._hold(event.response_id, turn, size)
            case Unborn() | Erased():
                # Neither can follow what is held or a request.
                self.forget(event.response_id)
        return None

    def forget(self, response_id: ResponseId) -> None:
        """Let go of a turn; one that is not here is fine."""
        held = self._held.pop(response_id, None)
        if held is not None:
            self._size -= held.size

    def _hold(self, response_id: ResponseId, turn: Open, size: int) -> None:
        held = self._held.get(response_id)
        if held is None:
            self._held[response_id] = _Held(turn, size)
        else:
            held.turn = turn
            held.size += size
        self._size += size
        while self._size > self._limit:
            _, oldest = self._held.popitem(last=False)
            self._size -= oldest.size
