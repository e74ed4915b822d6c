"""How long responses are kept, and whether the time of one is over."""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from turnwire_contracts.events import Requested

DAY_MS: Final = 86_400_000


def counted_from(request: Requested) -> int | None:
    """Give when the time of a turn begins, in Unix milliseconds; `None`: it is kept for ever.

    What is in a conversation stays until that is deleted (OpenAI: Conversations).
    """
    return request.at if request.conversation is None else None


class Retention(Struct, frozen=True):
    """How long responses are kept, and the clock that it is measured by."""

    kept_ms: int | None = None
    """Milliseconds from a response's `created_at` on; `None`: for ever."""
    now_ms: Callable[[], int] = lambda: 0

    def is_over(self, since: int | None) -> bool:
        """Tell whether the time of what counts from `since` (Unix milliseconds) is over."""
        return (
            self.kept_ms is not None and since is not None and since + self.kept_ms <= self.now_ms()
        )


KEEPS_ALL: Final = Retention()


def retention_of(days: float, now_ms: Callable[[], int]) -> Retention:
    """Make the retention of `TURNWIRE_RETENTION_DAYS`; 0 days: for ever."""
    return Retention(round(days * DAY_MS) if days else None, now_ms)
