"""Turns that ended or were read lately, kept in memory within a limit of bytes.

A turn that has ended never changes, so what is here is never stale. It pays: a conversation that
goes on is answered without asking MongoDB at all.
"""

from collections import OrderedDict

from turnwire_contracts.ids import ResponseId
from turnwire_store.views import StoredTurn

_OVERHEAD_BYTES = 600
"""What an entry costs beside its turn."""


class RecentTurns:
    """The least recently used turns go first."""

    def __init__(self, limit_bytes: int) -> None:
        """Keep about `limit_bytes`."""
        self._limit = limit_bytes
        self._size = 0
        self._turns: OrderedDict[ResponseId, StoredTurn] = OrderedDict()

    def get(self, response_id: ResponseId) -> StoredTurn | None:
        """Give a turn, if it is here."""
        turn = self._turns.get(response_id)
        if turn is not None:
            self._turns.move_to_end(response_id)
        return turn

    def put(self, turn: StoredTurn) -> None:
        """Keep a turn, unless it alone would fill a good part of the memory."""
        size = _size(turn)
        if size * 8 > self._limit:
            return
        former = self._turns.pop(turn.response_id, None)
        if former is not None:
            self._size -= _size(former)
        self._turns[turn.response_id] = turn
        self._size += size
        while self._size > self._limit:
            _, oldest = self._turns.popitem(last=False)
            self._size -= _size(oldest)


def _size(turn: StoredTurn) -> int:
    return len(turn.turn) + _OVERHEAD_BYTES
