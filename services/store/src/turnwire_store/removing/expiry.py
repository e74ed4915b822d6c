"""Purges responses whose time is over: again and again, along the log from its oldest turn on.

Readers do not wait for it: `Recall` tells nothing of a response from the moment its time is over.
Several stores may do it at once, as purging twice is the same as once.
"""

import asyncio
from typing import Final, Literal, Protocol

import structlog

from turnwire_chassis.event_log import LogUnavailableError
from turnwire_chassis.keeping.retention import Retention, counted_from
from turnwire_contracts.events import AnyEvent, Requested
from turnwire_store.removing.erasure import TurnEntry
from turnwire_store.removing.purge import Done, Purge

log = structlog.get_logger()

CAUSE: Final = "retention"

_LONGEST_PAUSE_S: Final = 20.0
"""What is over is gone from the disk within a minute."""

_PAUSES: Final = 10
"""Between two rounds is at most this part of the time that responses are kept."""

Lane = Literal["foreground", "background"]

LANES: Final[tuple[Lane, ...]] = ("foreground", "background")


class RequestLog(Protocol):
    """The requests of all tenants, lane by lane, in the order of the log."""

    async def requests(self, lane: Lane, after: int) -> list[TurnEntry]:
        """Give the next page behind a sequence, empty at the end. Raises `LogUnavailableError`."""
        ...


class Expiry:
    """Remembers how far it looked: what stays for ever is not looked at twice."""

    def __init__(self, requests: RequestLog, purge: Purge, retention: Retention) -> None:
        """Begin with the oldest turns."""
        self._requests = requests
        self._purge = purge
        self._retention = retention
        self._after: dict[Lane, int] = dict.fromkeys(LANES, 0)

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
        return sum([await self._lane(lane) for lane in LANES])

    async def _lane(self, lane: Lane) -> int:
        purged = 0
        while page := await self._requests.requests(lane, self._after[lane]):
            for entry in page:
                done = await self._end(entry.event)
                if done in ("younger", "running"):
                    # Those behind it are younger still.
                    return purged
                purged += done == "purged"
                self._after[lane] = entry.sequence
        return purged

    async def _end(self, event: AnyEvent | None) -> Done | Literal["younger", "stays"]:
        if not isinstance(event, Requested) or (since := counted_from(event)) is None:
            return "stays"
        if not self._retention.is_over(since):
            return "younger"
        return await self._purge.turn(event.tenant, event.response_id)
