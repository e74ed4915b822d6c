"""When a child that ended is started again, and when it is given up. Pure."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class ChildRun:
    """One run of a child, from its start to its end."""

    seconds: float
    exit_code: int
    was_ready: bool


@dataclass(frozen=True, slots=True)
class Record:
    """The history of a child: how often in a row it ended, and whether it was ever ready."""

    deaths: int = 0
    ever_ready: bool = False


@dataclass(frozen=True)
class RestartRules:
    """Pauses in seconds: doubled with each death in a row, as at first after a `good_life`."""

    first_pause: float = 0.2
    longest_pause: float = 10.0
    good_life: float = 30.0
    deaths_before_ready: int = 5

    def note(self, record: Record, life: ChildRun) -> Record:
        """Give the record after a run ended."""
        deaths = 1 if life.seconds >= self.good_life else record.deaths + 1
        return replace(record, deaths=deaths, ever_ready=record.ever_ready or life.was_ready)

    def is_hopeless(self, record: Record) -> bool:
        """Tell whether to give a child up: it ended too often, and was never ready."""
        return not record.ever_ready and record.deaths >= self.deaths_before_ready

    def pause(self, record: Record) -> float:
        """Give the seconds to wait before the next start."""
        # The exponent is bounded, as a float overflows after some thousand deaths.
        return min(self.longest_pause, self.first_pause * 2.0 ** min(record.deaths - 1, 30))
