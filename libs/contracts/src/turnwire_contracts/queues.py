"""The queues in which requested turns wait: foreground and background, each on four levels.

A tenant's next turn waits on a level that says how many of its turns are on their way already, by
the power of eight. So a tenant that asks for little never stands behind a flood, and one that asks
for much only behind what others of its size have asked for (ADR-0036).
"""

from typing import Final

from msgspec import Struct

from turnwire_contracts import subjects

LEVELS: Final = 4

_BITS_A_LEVEL: Final = 3


class Queue(Struct, frozen=True):
    """One queue: a subject of requested turns, and the consumer that hands them out in order."""

    background: bool
    level: int

    @property
    def lane(self) -> str:
        """What stands behind `requested` in the subject; empty for the first foreground queue."""
        words = ("background" if self.background else "", str(self.level) if self.level else "")
        return ".".join(filter(None, words))

    @property
    def subject(self) -> str:
        """The subject of all its turns."""
        return ".".join(filter(None, (subjects.TURN_REQUESTED, self.lane)))

    @property
    def consumer(self) -> str:
        """The durable consumer on `TURNS`."""
        return "-".join(filter(None, (subjects.ORCHESTRATOR_CONSUMER, *self.lane.split("."))))


FOREGROUND: Final = tuple(Queue(background=False, level=level) for level in range(LEVELS))
BACKGROUND: Final = tuple(Queue(background=True, level=level) for level in range(LEVELS))
QUEUES: Final = (*FOREGROUND, *BACKGROUND)


def level_of(turns: int) -> int:
    """Give the level of the next turn of a tenant that has so many on their way."""
    return min(LEVELS - 1, max(0, turns.bit_length() - 1) // _BITS_A_LEVEL)
