"""The table of clients is true: each cell has its test, and each test its cell."""

import re
import subprocess
import sys
import tomllib
from collections import Counter
from typing import Any

import pytest

from architecture.house import ROOT

FOLDER = ROOT / "tests" / "clients"
LOCKS = {
    "npm/package-lock.json": {"https://registry.npmjs.org"},
    "litellm/uv.lock": {"https://pypi.org", "https://files.pythonhosted.org"},
}
_FETCHED = re.compile(r'(?:"resolved": |url = |registry = )"(https?://[^/"]+)')


@pytest.mark.clients
def test_every_cell_is_held_by_one_test_and_every_test_holds_a_cell() -> None:
    held = [test for client in _clients() for test in client["cells"].values()]
    assert Counter(held) == Counter(_collected())


def test_every_cell_is_of_a_scenario_that_is_told() -> None:
    unknown = {key for client in _clients() for key in client["cells"]} - set(_scenarios())
    assert unknown == set()


def test_every_scenario_has_a_client() -> None:
    tried = {key for client in _clients() for key in client["cells"]}
    assert set(_scenarios()) - tried == set()


def test_the_lock_files_of_clients_name_only_the_public_registries() -> None:
    for name, registries in LOCKS.items():
        found = set(_FETCHED.findall((FOLDER / name).read_text(encoding="utf-8")))
        assert (name, found) == (name, registries)


def _declared() -> dict[str, Any]:
    return tomllib.loads((FOLDER / "compatibility.toml").read_text(encoding="utf-8"))


def _clients() -> list[dict[str, Any]]:
    return _declared()["clients"]


def _scenarios() -> dict[str, str]:
    return _declared()["scenarios"]


def _collected() -> list[str]:
    """Give the tests that pytest finds, those of clients that are not installed too."""
    command = (sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "", str(FOLDER))
    run = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    prefix = FOLDER.relative_to(ROOT).as_posix() + "/"
    return [line.removeprefix(prefix) for line in run.stdout.splitlines() if "::" in line]
