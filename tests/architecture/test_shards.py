"""Workers of pytest-xdist: the tests of one module run on one of them, so its fixtures do once."""

import os
import subprocess
import sys
from pathlib import Path

from architecture.house import ROOT

MODULE = """
import os
import pathlib
import pytest

@pytest.fixture(scope="module", autouse=True)
def started():
    with (pathlib.Path(__file__).parent / "started").open("a") as file:
        file.write(f"{__name__} {os.environ['PYTEST_XDIST_WORKER']}\\n")

@pytest.mark.parametrize("number", range(20))
def test_it(number):
    pass
"""


def test_a_module_runs_on_one_worker(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / f"test_{name}.py").write_text(MODULE)
    call = (
        *(sys.executable, "-m", "pytest", "-q", "-n", "2", "-c", str(ROOT / "pyproject.toml")),
        *("--rootdir", str(tmp_path), str(tmp_path)),
    )
    outer = {name: told for name, told in os.environ.items() if "PYTEST" not in name}
    ran = subprocess.run(call, cwd=tmp_path, env=outer, check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    started = (tmp_path / "started").read_text().splitlines()
    assert sorted(line.split()[0] for line in started) == ["test_first", "test_second"]
    assert len({line.split()[1] for line in started}) == 2
