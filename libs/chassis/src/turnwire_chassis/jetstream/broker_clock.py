"""The broker's clock, as this process can tell it without its own wall clock, which may jump."""

import asyncio
import time
from datetime import datetime


class BrokerClock:
    """Follows the broker's clock by a monotonic one, from what its answers say of the time."""

    def __init__(self) -> None:
        # Until the broker says its time, the wall clock of this machine stands for it.
        self._ahead_s: float | None = None

    def hear(self, timestamp: str) -> None:
        """Take the time (RFC 3339) that stands in an answer of the broker's API."""
        said = datetime.fromisoformat(timestamp).timestamp()
        self._ahead_s = said - asyncio.get_running_loop().time()

    def to_monotonic(self, at: datetime) -> float:
        """Give the event loop's time at a moment of the broker; never one that is yet to come."""
        now = asyncio.get_running_loop().time()
        ahead_s = time.time() - now if self._ahead_s is None else self._ahead_s
        return min(now, at.timestamp() - ahead_s)
