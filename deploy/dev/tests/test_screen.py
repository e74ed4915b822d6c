"""What the screen does when nobody looks."""

import os

from turnwire_dev.screen import Screen, Terminal


def test_a_reader_who_leaves_does_not_end_the_run() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", encoding="utf-8") as file:
        screen = Screen(Terminal(file=file))

        screen.warning("Nobody reads this.")
        screen.warning("Nor this.")
