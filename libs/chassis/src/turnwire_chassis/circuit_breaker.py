"""A circuit breaker: a server that fails again and again is left alone for a while. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """When a breaker opens, and for how long."""

    failures: int
    """How many in a row open it."""
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
        """Tell whether calls are refused at `now` (seconds of a clock that never goes back)."""
        return self.is_tripped and now < self.open_until

    def passed(self, now: float) -> "Breaker":
        """Note that a call was let in; if the breaker was tripped, the call is the probe.

        Other calls wait for the result of a probe, and no longer than after a failure.
        """
        if not self.is_tripped:
            return self
        return Breaker(self.rules, self.failures, now + self.rules.open_s)

    def failed(self, now: float) -> "Breaker":
        """Note that a call that was let in failed."""
        return Breaker(self.rules, self.failures + 1, now + self.rules.open_s)

    def succeeded(self) -> "Breaker":
        """Note that a call that was let in got an answer, an error of the tool included."""
        return Breaker(self.rules)
