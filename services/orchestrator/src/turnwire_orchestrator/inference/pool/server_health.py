"""How a server fares: what it works on, whether it fails, and when it wants to be asked again."""

from collections.abc import Callable
from math import ceil
from typing import Final

from msgspec import Struct

from turnwire_chassis.circuit_breaker import Breaker, BreakerRules
from turnwire_contracts.events import Failure
from turnwire_orchestrator.inference.pool.balancing import Readiness

BREAKER: Final = BreakerRules(failures=3, open_s=10.0)
"""A server that fails so often in a row is left alone; then one sample tries it."""

LONGEST_WAIT_S: Final = 60.0
"""A server that wants to be left alone for longer is tried again after this time."""

_SERVER_ERROR: Final = 500
_MOST_MODELS: Final = 256


class _Wait(Struct, frozen=True):
    until: float
    failure: Failure


class ServerHealth:
    """What samples tell about one server; it forgets with the process."""

    def __init__(self, now: Callable[[], float]) -> None:
        """`now`: seconds of a clock that never goes back."""
        self.running = 0
        """The samples that it works on."""
        self._now = now
        self._breaker = Breaker(BREAKER)
        self._waits: dict[str, _Wait] = {}

    def readiness(self, model: str) -> Readiness:
        """Tell whether a sample of a model may go to it now."""
        if self.wait_s(model) > 0:
            return "told_to_wait"
        return "failing" if self._breaker.is_open(self._now()) else "ready"

    def wait_s(self, model: str) -> float:
        """Give for how many seconds it wants to be left alone with a model; 0: not at all."""
        wait = self._waits.get(model)
        return 0.0 if wait is None else max(0.0, wait.until - self._now())

    def why_wait(self, model: str) -> Failure | None:
        """Give the refusal that said so, with the time that is left."""
        wait = self._waits.get(model)
        if wait is None:
            return None
        seconds = max(1, ceil(self.wait_s(model)))
        return Failure(
            http_status=wait.failure.http_status,
            type=wait.failure.type,
            code=wait.failure.code,
            message=f"Every backend that serves '{model}' has asked to be left alone for a while. "
            f"Please try again in {seconds} s.",
            retry_after_s=seconds,
        )

    def began(self) -> None:
        """Note that a sample goes to it; `ended` must follow."""
        self.running += 1
        self._breaker = self._breaker.passed(self._now())

    def ended(self) -> None:
        """Note that a sample is over, whatever became of it."""
        self.running -= 1

    def answered(self, model: str, failure: Failure | None) -> None:
        """Note how a sample ended that was not cancelled."""
        if failure is None or failure.http_status < _SERVER_ERROR:
            # Who refuses works.
            if self._breaker.failures:
                self._breaker = self._breaker.succeeded()
        else:
            self._breaker = self._breaker.failed(self._now())
        if failure is None or failure.retry_after_s is None:
            if self._waits:
                self._waits.pop(model, None)
        else:
            self._note_wait(model, failure, min(failure.retry_after_s, LONGEST_WAIT_S))

    def _note_wait(self, model: str, failure: Failure, seconds: float) -> None:
        if len(self._waits) >= _MOST_MODELS:
            # Clients name models; those that are over are kept until there are too many.
            del self._waits[next(iter(self._waits))]
        self._waits[model] = _Wait(self._now() + seconds, failure)
