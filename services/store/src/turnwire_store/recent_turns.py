"""Turns that ended or were read lately, kept in memory within a limit of bytes.

It pays: a conversation that goes on is answered without asking MongoDB at all. What changes a turn
after its end is told here (`outdate`) before it can be asked for again; from then on its
views may be behind, and only the log says what it is.
"""

from collections import OrderedDict

from turnwire_contracts.ids import ResponseId
from turnwire_store.chain_position import parent_place
from turnwire_store.views import StoredTurn, View

_OVERHEAD_BYTES = 600
"""What an entry costs beside its turn."""

_CHANGES = 10_000
"""So many changes ago, the views know of a change."""


class RecentTurns:
    """The least recently used turns go first."""

    def __init__(self, limit_bytes: int) -> None:
        """About `limit_bytes` of turns, as JSON, are kept."""
        self._limit = limit_bytes
        self._size = 0
        self._turns: OrderedDict[ResponseId, StoredTurn] = OrderedDict()
        self._changed: OrderedDict[ResponseId, int] = OrderedDict()
        self._changes = 0
        self._cleared = 0

    def get(self, response_id: ResponseId) -> StoredTurn | None:
        """Give a turn, if it is here."""
        turn = self._turns.get(response_id)
        if turn is not None:
            self._turns.move_to_end(response_id)
        return turn

    def is_outdated(self, response_id: ResponseId) -> bool:
        """Tell whether a turn has changed lately, so that its view may be behind."""
        return response_id in self._changed

    def mark(self) -> int:
        """Mark this moment, before a turn is read."""
        return self._changes

    def put(self, turn: StoredTurn, mark: int | None = None) -> None:
        """Keep a turn, unless it alone would fill a good part of the memory.

        One that was read is not kept if it may have changed since the `mark` from before. One that
        has just ended needs no mark, and is not kept if a change of it was heard already.
        """
        if mark is None:
            right = not self.is_outdated(turn.response_id)
        else:
            right = self._changed.get(turn.response_id, self._cleared) <= mark
        size = _size(turn)
        if not right or size * 8 > self._limit:
            return
        self._drop(turn.response_id)
        self._turns[turn.response_id] = turn
        self._size += size
        while self._size > self._limit:
            _, oldest = self._turns.popitem(last=False)
            self._size -= _size(oldest)

    def outdate(self, response_id: ResponseId) -> None:
        """Let go of a turn that has changed, and remember that it has."""
        self._drop(response_id)
        self._changes += 1
        self._changed[response_id] = self._changes
        self._changed.move_to_end(response_id)
        if len(self._changed) > _CHANGES:
            self._changed.popitem(last=False)

    def clear(self) -> None:
        """Let go of all turns, also of those that are just being read: changes went unheard."""
        self._changes += 1
        self._cleared = self._changes
        self._turns.clear()
        self._size = 0

    def _drop(self, response_id: ResponseId) -> None:
        former = self._turns.pop(response_id, None)
        if former is not None:
            self._size -= _size(former)


def stored(view: View) -> StoredTurn:
    """Give what a reader would find after `view` was written."""
    place = parent_place(view.place, view.fork)
    turn = view.turn.encode()
    return StoredTurn(
        view.response_id, view.tenant, view.parent, place, turn, view.deleted, view.created_at
    )


def _size(turn: StoredTurn) -> int:
    return len(turn.turn) + _OVERHEAD_BYTES
