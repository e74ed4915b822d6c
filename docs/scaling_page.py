"""The sizing table in `docs/scaling.md`, from the capacity model and the newest measured figures.

The prose around it is kept as it is.
"""

import subprocess
import sys
from pathlib import Path

from marked_part import with_part

_PAGE = Path(__file__).parent / "scaling.md"


def scaling_page() -> str:
    """Write the whole page."""
    # A program of its own: the bench is no part of what these pages import.
    table = subprocess.run(
        (sys.executable, "-m", "bench.capacity"),
        cwd=_PAGE.parent.parent,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return with_part(_PAGE, "python -m bench.capacity", table.strip())
