"""What is in the repository holds on any machine: no path, host or mirror of the one it is on."""

import re

from architecture.house import ROOT, files_of_the_project

# Put together here, so that this file does not say what it looks for.
_PATHS = ("work", "root", "home/[a-z]+", "Users/[A-Za-z]+")
_MACHINE_PATH = re.compile(rf"(?<![\w.}}*-])/(?:{'|'.join(_PATHS)})/")
_INDEXES = {"https://pypi.org", "https://files.pythonhosted.org"}
_URL = re.compile(r"https?://[^/\"'\s]+")


def test_no_file_names_a_path_of_one_machine() -> None:
    found: list[str] = []
    for path in files_of_the_project():
        for number, line in enumerate(_lines(path.read_bytes()), start=1):
            if _MACHINE_PATH.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number} {line.strip()[:80]}")
    assert found == []


def test_the_lock_file_names_only_the_public_index() -> None:
    lock = (ROOT / "uv.lock").read_text(encoding="utf-8")
    assert set(_URL.findall(lock)) == _INDEXES
    registries = set(re.findall(r'registry = "([^"]+)"', lock))
    assert registries == {"https://pypi.org/simple"}


def test_no_project_file_names_an_index() -> None:
    named = [
        path.relative_to(ROOT).as_posix()
        for path in files_of_the_project()
        if path.name in {"pyproject.toml", "Makefile", "uv.toml", "pip.conf", ".npmrc"}
        if re.search(r"index-url|extra-index|\[\[tool\.uv\.index|registry=", path.read_text())
    ]
    assert named == []


def _lines(content: bytes) -> list[str]:
    return [] if b"\0" in content else content.decode(errors="replace").splitlines()
