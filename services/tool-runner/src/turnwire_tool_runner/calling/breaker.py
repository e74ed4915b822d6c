"""A breaker: a server that fails again and again is left alone for a while. Values only."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """When it opens, and for how long."""

    failures: int
    """In a row."""
    open_s: float


@dataclass(frozen=True, slots=True)
class Breaker:
    """Closed until too many failures came in a row, then open, with one probe at a time."""

    rules: BreakerRules
    failures: int = 0
    open_until: float = 0.0

    @property
    def is_tripped(self) -> bool:
        """Whether there were too many failures, and no success since."""
        return self.failures >= self.rules.failures

    def is_open(self, now: float) -> bool:
        """Whether nobody may pass now."""
        return self.is_tripped and now < self.open_until

    def passed(self, now: float) -> "Breaker":
        """Somebody passed, who is the probe if it was tripped: the others wait for what it finds.

        A probe that never reports holds them up no longer than a failure would.
        """
        if not self.is_tripped:
            return self
        return Breaker(self.rules, self.failures, now + self.rules.open_s)

    def failed(self, now: float) -> "Breaker":
        """Somebody who had passed failed."""
        return Breaker(self.rules, self.failures + 1, now + self.rules.open_s)

    def succeeded(self) -> "Breaker":
        """Somebody who had passed got an answer, of whatever kind."""
        return Breaker(self.rules)
