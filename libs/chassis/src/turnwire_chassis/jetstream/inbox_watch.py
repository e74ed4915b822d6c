"""Measures how many deliveries wait for a place, how long, and how fast they get one."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from msgspec import Struct

from turnwire_chassis.jetstream.delivery import Held
from turnwire_chassis.jetstream.fair_queue import FairQueue
from turnwire_chassis.jetstream.pull import Pull

_EVERY_S: Final = 0.5
_QUIET_EVERY: Final = 10
"""Measurements that are left out while nothing waits."""
_MEASUREMENTS: Final = 10
"""That a rate is the mean of, as far back as something has waited all the time."""


class QueueLength(Struct, frozen=True):
    """How one consumer's messages wait."""

    waiting: int
    """In the stream, for all processes."""
    unconfirmed: int
    """Given out and not ended, by all processes."""
    held: int
    """In this process, without a place."""
    oldest_s: float
    """How long the oldest of those has waited."""
    starts_per_s: float
    """How many get a place in this process; counted while any waits, so that it is what it can."""


Report = Callable[[Sequence[QueueLength], int], Awaitable[None]]
"""Is told how each consumer's messages wait, and how many places are free here."""


async def unreported(lengths: Sequence[QueueLength], free: int) -> None:
    """Tell no one."""


class InboxWatch:
    """Looks at the consumers of an inbox and at its own queue."""

    def __init__(self, pulls: Sequence[Pull], report: Report) -> None:
        self._pulls = pulls
        self._report = report
        self._started: deque[tuple[int, ...]] = deque(maxlen=_MEASUREMENTS + 1)

    async def run(self, queue: FairQueue[Held]) -> None:
        """Measure and report until cancelled: twice a second while something waits, else seldom."""
        quiet = _QUIET_EVERY
        while True:
            await asyncio.sleep(_EVERY_S)
            self._count_starts(anything_waits=bool(queue))
            quiet = quiet + 1 if not queue else 0
            if quiet and quiet % _QUIET_EVERY != 1:
                continue
            lengths = [await self._length(place, queue) for place in range(len(self._pulls))]
            await self._report(lengths, queue.free)

    def _count_starts(self, *, anything_waits: bool) -> None:
        if not anything_waits:
            self._started.clear()
        self._started.append(tuple(pull.started for pull in self._pulls))

    def _rate(self, place: int) -> float:
        begun = self._started[-1][place] - self._started[0][place]
        return begun / (_EVERY_S * max(1, len(self._started) - 1))

    async def _length(self, place: int, queue: FairQueue[Held]) -> QueueLength:
        pull = self._pulls[place]
        since = [held.delivery.published for held in queue.waiting() if held.pull is pull]
        backlog = await pull.backlog()
        now = asyncio.get_running_loop().time()
        return QueueLength(
            waiting=backlog.waiting,
            unconfirmed=backlog.unconfirmed,
            held=pull.held,
            oldest_s=max(0.0, now - min(since)) if since else 0.0,
            starts_per_s=self._rate(place),
        )
