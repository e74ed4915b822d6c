"""Orders to the processes of an armed stack: die at a point, or stand still there."""

from pathlib import Path

import msgspec

from turnwire_chassis.crash_points import CrashOrder
from turnwire_testing.waiting import eventually

REACHED_WITHIN_S = 20.0


class CrashOrders:
    """The file that `TURNWIRE_TEST_CRASH_POINT` names; one order at a time."""

    def __init__(self, file: Path) -> None:
        """`file`: nothing is ordered while it is not there."""
        self.file = file
        self._reached = file.with_name(f"{file.name}.reached")
        self._go = file.with_name(f"{file.name}.go")

    def give(self, order: CrashOrder) -> None:
        """Order the next process that passes the point to die, or to stand still there."""
        self.withdraw()
        written = self.file.with_name(f"{self.file.name}.new")
        written.write_bytes(msgspec.json.encode(order))
        written.rename(self.file)

    async def reached(self, within_s: float = REACHED_WITHIN_S) -> None:
        """Wait until a process has passed the point; raises `TimeoutError`."""
        await eventually(self._is_reached, within_s)

    def let_go(self) -> None:
        """Let a process that stands still go on."""
        self._go.touch()

    def withdraw(self) -> None:
        """Order nothing."""
        for file in (self.file, self._reached, self._go):
            file.unlink(missing_ok=True)

    async def _is_reached(self) -> bool:
        return self._reached.exists()
