"""The pages that are written from the code say what the code says."""

import subprocess
import sys

from architecture.house import ROOT


def test_the_generated_pages_are_up_to_date() -> None:
    command = (sys.executable, "docs/generate.py", "--check")
    run = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
