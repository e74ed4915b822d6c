"""The table in `docs/clients.md`: clients and what each is tested to do.

It is written from `tests/clients/compatibility.toml`; the prose around it is kept as it is.
"""

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from marked_part import with_part
from source import Row, code, table

_ROOT = Path(__file__).parents[1]
_PAGE = _ROOT / "docs" / "clients.md"
_DECLARED = _ROOT / "tests" / "clients" / "compatibility.toml"

_NAME_AND_RANGE = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?(.*)")
_CARET = re.compile(r"\^(\d+)\.(\d+)\..*")


def clients_page() -> str:
    """Write the whole page."""
    declared = tomllib.loads(_DECLARED.read_text(encoding="utf-8"))
    tables = f"{_versions(declared)}\n\n{_cells(declared)}"
    return with_part(_PAGE, "tests/clients/compatibility.toml", tables)


def _versions(declared: Mapping[str, Any]) -> str:
    rows = [(client["name"], _ranges(client["packages"])) for client in declared["clients"]]
    return table(("client", "versions"), rows)


def _cells(declared: Mapping[str, Any]) -> str:
    clients = declared["clients"]
    rows: list[Row] = [
        (words, *("✓" if key in client["cells"] else "" for client in clients))
        for key, words in declared["scenarios"].items()
    ]
    return table(("", *(client["name"] for client in clients)), rows)


def _ranges(packages: Mapping[str, list[str]]) -> str:
    """Give the versions that are asked for, by the files that ask for them."""
    asked = [
        f"{code(name)} {_asked(_ROOT / file)[name]}"
        for file, names in packages.items()
        for name in names
    ]
    return ", ".join(asked) or "any"


def _asked(file: Path) -> dict[str, str]:
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".json":
        wishes: dict[str, str] = json.loads(text)["dependencies"]
        return {name: _caret_as_range(version) for name, version in wishes.items()}
    project = tomllib.loads(text)
    groups = project.get("dependency-groups", {})
    asked = [*project["project"]["dependencies"], *groups.get("dev", [])]
    found = [match for wish in asked if (match := _NAME_AND_RANGE.fullmatch(wish))]
    return {match[1]: match[2].replace(",", ", ") for match in found}


def _caret_as_range(version: str) -> str:
    """Say npm's caret in the words of the other files; it holds the first number but 0."""
    match = _CARET.fullmatch(version)
    if match is None:
        return version
    major, minor = int(match[1]), int(match[2])
    limit = f"0.{minor + 1}" if major == 0 else str(major + 1)
    return f">={version.removeprefix('^')}, <{limit}"
