"""What processes use: memory, descriptors, threads; and how that grows."""

from collections.abc import Mapping, Sequence

import psutil
from msgspec import Struct

MIB = 1024 * 1024


class Usage(Struct, frozen=True):
    """What one process uses at one moment."""

    rss_mib: float
    descriptors: int
    threads: int


def usage(pids: Mapping[str, int]) -> dict[str, Usage]:
    """Measure each process."""
    return {name: _of(psutil.Process(pid)) for name, pid in pids.items()}


def _of(process: psutil.Process) -> Usage:
    with process.oneshot():
        memory = process.memory_info().rss / MIB
        return Usage(round(memory, 1), process.num_fds(), process.num_threads())


def slope(times: Sequence[float], values: Sequence[float]) -> float:
    """The least squares' slope of values over times, in units a minute when times are seconds."""
    mean_time, mean_value = sum(times) / len(times), sum(values) / len(values)
    spread = sum((time - mean_time) ** 2 for time in times)
    rise = sum(
        (time - mean_time) * (value - mean_value) for time, value in zip(times, values, strict=True)
    )
    return 60 * rise / spread if spread else 0.0
