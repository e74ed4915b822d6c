"""The sizing table in `docs/scaling.md`, from the capacity model and the newest measured figures.

The prose around it is kept as it is.
"""

import subprocess
import sys
from pathlib import Path

_PAGE = Path(__file__).parent / "scaling.md"
_BEGIN = "<!-- Written by docs/generate.py: python -m bench.capacity. -->"
_END = "<!-- The end of what is written. -->"


def scaling_page() -> str:
    """Write the whole page."""
    before, begin, rest = _PAGE.read_text(encoding="utf-8").partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (begin and end):
        raise ValueError(f"{_PAGE} does not say where the table is to stand")
    # A program of its own: the bench is no part of what these pages import.
    table = subprocess.run(
        (sys.executable, "-m", "bench.capacity"),
        cwd=_PAGE.parent.parent,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return f"{before}{_BEGIN}\n\n{table}\n{_END}{after}"
