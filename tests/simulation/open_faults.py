"""Faults of the product that schedules have found and that are not mended yet."""

from typing import Final

OPEN_FAULTS: Final = {
    "c3t1f3s2068": "frames that the broker lost while a turn is cancelled are not published again "
    "before its end",
    "c3t1f4s6612ju": "the reader of an unstored turn whose end the broker lost waits for the "
    "turn's time-out, which is an hour away where the gateway's clock is an hour behind",
}
"""Tokens, and what breaks there. `make simulate` names them apart from what is new; a test asks
that each still breaks, so that what is mended moves to `FOUND`."""
