"""Who runs next: the tenant that holds the fewest places, and among equals the one longest waiting.

Max-min fairness over places, not over turns: how long a turn takes is not known
before. Pure: no clock, no I/O.
"""

from collections import Counter
from heapq import heappop, heappush
from itertools import count
from typing import Generic, TypeVar

WaitingT = TypeVar("WaitingT")

_Entry = tuple[int, int, WaitingT]
"""Its place in the stream, a number that makes it unique, and what waits."""


class FairQueue(Generic[WaitingT]):
    """Gives `places` to tenants; what finds none waits here."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._running: Counter[str] = Counter()
        self._busy = 0
        self.is_closed = False
        self._waiting: dict[str, list[_Entry[WaitingT]]] = {}
        self._since: dict[str, int] = {}
        """By waiting tenant: when it began to wait, or was last given a place."""
        self._clock = count()
        self._length = 0

    @property
    def free(self) -> int:
        """How many places are free."""
        return max(0, self._places - self._busy)

    def __len__(self) -> int:
        """How many wait."""
        return self._length

    def close(self) -> None:
        """Give no more places; those that are held are left as they end."""
        self._places = 0
        self.is_closed = True

    def enter(self, tenant: str) -> bool:
        """Take a place at once, if one is free and none waits for it; tells whether it did."""
        if self._length or not self.free:
            return False
        self._take(tenant)
        return True

    def leave(self, tenant: str) -> None:
        """Give a place back."""
        self._busy -= 1
        self._running[tenant] -= 1
        if not self._running[tenant]:
            del self._running[tenant]

    def add(self, tenant: str, order: int, waiting: WaitingT) -> None:
        """Let something wait; of one tenant the smallest `order` runs first."""
        if tenant not in self._waiting:
            self._waiting[tenant] = []
            self._since[tenant] = next(self._clock)
        heappush(self._waiting[tenant], (order, next(self._clock), waiting))
        self._length += 1

    def next(self) -> WaitingT | None:
        """Give a place to the next, and take it out of the queue; `None`: no place, or no one."""
        if not self._length or not self.free:
            return None
        tenant = min(self._waiting, key=lambda each: (self._running[each], self._since[each]))
        _, _, waiting = heappop(self._waiting[tenant])
        self._length -= 1
        self._since[tenant] = next(self._clock)
        self._forget_if_empty(tenant)
        self._take(tenant)
        return waiting

    def waiting(self) -> list[WaitingT]:
        """Give all that wait, in no order."""
        return [waiting for entries in self._waiting.values() for _, _, waiting in entries]

    def remove(self, tenant: str, waiting: WaitingT) -> None:
        """Take something out of the queue without giving it a place."""
        entries = self._waiting[tenant]
        kept = [entry for entry in entries if entry[2] is not waiting]
        self._length -= len(entries) - len(kept)
        # What is sorted is a heap.
        self._waiting[tenant] = sorted(kept, key=lambda entry: entry[:2])
        self._forget_if_empty(tenant)

    def _take(self, tenant: str) -> None:
        self._busy += 1
        self._running[tenant] += 1

    def _forget_if_empty(self, tenant: str) -> None:
        if not self._waiting[tenant]:
            del self._waiting[tenant], self._since[tenant]
