"""What the broker refused a connection: told at once as an error, counted, shown by health.

The client of nats-py raises nothing for a subject that is denied: a publish is gone, a question
times out. It hands over the broker's own words, in lower case, and they are all there is to read.
"""

import re
import time
from collections import Counter
from collections.abc import Callable

import structlog

log = structlog.get_logger()

UNWELL_FOR_S = 60.0
"""How long health tells of a subject that was denied."""

_SAY_AGAIN_S = 5.0
_UNKNOWN_USER = ("authorization violation", "authentication")
_DENIED = re.compile(r'permissions violation for (publish|subscription) to "([^"]*)"')


class Refusals:
    """What the broker refused one connection."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        """`now_s`: a clock that never goes back."""
        self.counts: Counter[str] = Counter()
        self._now_s = now_s
        self._denied_at = float("-inf")
        self._said_at = float("-inf")
        self._unknown = False

    def note(self, text: str) -> bool:
        """Note an error text of the broker if it refuses something; gives whether it does."""
        if denied := _DENIED.search(text.lower()):
            self._deny(*denied.groups())
            return True
        if any(words in text.lower() for words in _UNKNOWN_USER):
            self._note_unknown_user(text)
            return True
        return False

    def connected(self) -> None:
        """Note that the broker took the credentials."""
        self._unknown = False

    @property
    def unknown_user(self) -> str | None:
        """That the broker does not know who this is, for people; `None` when it does."""
        return "the broker refuses our credentials" if self._unknown else None

    @property
    def denied(self) -> str | None:
        """What was denied within the last minute, for people; `None` when nothing was."""
        if self._now_s() - self._denied_at >= UNWELL_FOR_S:
            return None
        what = ", ".join(f"{what} ({times})" for what, times in self.counts.most_common(5))
        return f"the broker refused: {what}"

    def _deny(self, verb: str, subject: str) -> None:
        self._denied_at = self._now_s()
        what = f"{verb} to {subject}"
        self.counts[what] += 1
        log.error("broker refused", verb=verb, subject=subject, times=self.counts[what])

    def _note_unknown_user(self, text: str) -> None:
        self._unknown = True
        # Tried again four times a second.
        if self._now_s() - self._said_at >= _SAY_AGAIN_S:
            self._said_at = self._now_s()
            log.error(
                "broker refuses our credentials",
                said=text,
                way_out="TURNWIRE_NATS_NKEY_SEED_FILE or TURNWIRE_NATS_CREDENTIALS",
            )
