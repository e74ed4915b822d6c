"""Python's cyclic garbage collector, set up for a process that serves for a long time.

What starting makes (modules, classes, routes: about 100,000 objects) lives as long as the process.
By Python's defaults a full pass visits all of it every thousand turns or so, which stops every
stream for 50 ms or more, and young passes run ten times a second under load. Both together were a
quarter of a turn's CPU.
"""

import gc
from typing import Final

_THRESHOLDS: Final = (10_000, 10, 10)
"""Objects that are left before a young pass; young passes before a middle one; and so on.

Almost all that a turn makes is freed by its reference count. Cycles wait for a pass with all that
they hold, so nothing large may be part of one.
"""


def freeze_start_up() -> None:
    """Leave all objects that exist now out of later passes, and make the passes rarer.

    Called once, when the process is about to take work.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
