"""Writes the pages that the code itself tells: coverage, events, metrics, settings, and others.

python docs/generate.py            write them
python docs/generate.py --check    exit code 1 if they are not what would be written
"""

import argparse
import difflib
import sys
from pathlib import Path

from broker_page import broker_page
from chart_values.page import chart_page
from chart_values.schema import chart_schema, chart_settings
from cli_page import cli_page
from clients_page import clients_page
from coverage_page import coverage_page
from errors_page import errors_page
from event_page import event_page
from llms_page import llms_page
from metrics_page import metrics_page
from scaling_page import scaling_page
from settings_page import settings_page

_FOLDER = Path(__file__).parent
_CHART = "../deploy/k8s/turnwire"
_PAGES = {
    f"{_CHART}/values.schema.json": chart_schema,
    f"{_CHART}/files/settings.yaml": chart_settings,
    f"{_CHART}/README.md": chart_page,
    "broker.md": broker_page,
    "cli.md": cli_page,
    "clients.md": clients_page,
    "coverage.md": coverage_page,
    "events.md": event_page,
    "llms.txt": llms_page,
    "metrics.md": metrics_page,
    "operations.md": errors_page,
    "scaling.md": scaling_page,
    "settings.md": settings_page,
}


def main() -> int:
    """Write or compare; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    check: bool = parser.parse_args().check
    stale = False
    for name, write in _PAGES.items():
        path, page = _FOLDER / name, write()
        if check:
            stale = _tell_difference(path, page) or stale
        else:
            path.write_text(page, encoding="utf-8")
    if stale:
        print("The pages above are not what the code says. Run: make docs")
    return 1 if stale else 0


def _tell_difference(path: Path, page: str) -> bool:
    there = path.read_text(encoding="utf-8") if path.exists() else ""
    lines = (there.splitlines(), page.splitlines())
    difference = [*difflib.unified_diff(*lines, f"{path.name} as it is", "as the code says it")]
    print("\n".join(difference), end="\n" if difference else "")
    return bool(difference)


if __name__ == "__main__":
    sys.exit(main())
