"""Purges responses whose time is over: again and again, along the log from its oldest turn on.

Readers do not wait for it: `Recall` tells nothing of a response from the moment its time is over.
Several stores may do it at once, as purging twice is the same as once.
"""

import asyncio
from typing import Final, Literal, Protocol

import structlog

from turnwire_chassis.event_log import LogUnavailableError
from turnwire_chassis.retention import Retention, counted_from
from turnwire_contracts.events import AnyEvent, Requested
from turnwire_contracts.queues import QUEUES, Queue
from turnwire_store.removing.erasure import TurnEntry
from turnwire_store.removing.purge import Done, Purge

log = structlog.get_logger()

CAUSE: Final = "retention"

_LONGEST_PAUSE_S: Final = 20.0
"""What is over is gone from the disk within a minute."""

_PAUSES: Final = 10
"""Between two rounds is at most this part of the time that responses are kept."""


class RequestLog(Protocol):
    """The requests of all tenants, queue by queue, in the order of the log."""

    async def requests(self, queue: Queue, after: int) -> list[TurnEntry]:
        """Give the next page behind a sequence, empty at the end. Raises `LogUnavailableError`."""
        ...


class Expiry:
    """Remembers how far it looked: what stays for ever is not looked at twice."""

    def __init__(self, requests: RequestLog, purge: Purge, retention: Retention) -> None:
        self._requests = requests
        self._purge = purge
        self._retention = retention
        self._after: dict[Queue, int] = dict.fromkeys(QUEUES, 0)

    async def run(self) -> None:
        """Do round after round until cancelled; without an end of time do nothing."""
        kept_ms = self._retention.kept_ms
        if kept_ms is None:
            return
        pause = min(kept_ms / 1000 / _PAUSES, _LONGEST_PAUSE_S)
        while True:
            try:
                if purged := await self.round():
                    log.info("responses expired", count=purged)
            except LogUnavailableError as error:
                log.warning("responses not expired", reason=str(error))
            await asyncio.sleep(pause)

    async def round(self) -> int:
        """Purge all whose time is over; gives how many. Raises `LogUnavailableError`."""
        return sum([await self._of(queue) for queue in QUEUES])

    async def _of(self, queue: Queue) -> int:
        purged, after, runs = 0, self._after[queue], False
        while page := await self._requests.requests(queue, after):
            for entry in page:
                done = await self._end(entry.event)
                if done == "younger":
                    # Those behind it are younger still.
                    return purged
                purged += done == "purged"
                after = entry.sequence
                # One that runs is met again in the next round, and holds up none behind it.
                runs = runs or done == "running"
                if not runs:
                    self._after[queue] = after
        return purged

    async def _end(self, event: AnyEvent | None) -> Done | Literal["younger", "stays"]:
        if not isinstance(event, Requested) or (since := counted_from(event)) is None:
            return "stays"
        if not self._retention.is_over(since):
            return "younger"
        return await self._purge.turn(event.tenant, event.response_id)
