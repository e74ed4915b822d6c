"""When a dead child is started again, and when it is given up: arithmetic only."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Life:
    """One run of a child, from its start to its death."""

    seconds: float
    exit_code: int
    was_ready: bool


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a child's past: deaths in a row, and whether it ever worked."""

    deaths: int = 0
    ever_ready: bool = False


@dataclass(frozen=True, slots=True)
class RestartRules:
    """Pauses in seconds: doubled with each death in a row, as at first after a `good_life`."""

    first_pause: float = 0.2
    longest_pause: float = 10.0
    good_life: float = 30.0
    deaths_before_ready: int = 5

    def note(self, record: Record, life: Life) -> Record:
        """The record after this life ended."""
        deaths = 1 if life.seconds >= self.good_life else record.deaths + 1
        return replace(record, deaths=deaths, ever_ready=record.ever_ready or life.was_ready)

    def is_hopeless(self, record: Record) -> bool:
        """Whether a child that never worked died often enough; one that did is never given up."""
        return not record.ever_ready and record.deaths >= self.deaths_before_ready

    def pause(self, record: Record) -> float:
        """Seconds to wait before the next start."""
        # The exponent is bounded, as a float overflows after some thousand deaths.
        return min(self.longest_pause, self.first_pause * 2.0 ** min(record.deaths - 1, 30))
