"""The pages that people write: links lead somewhere, no code is left out, no package uncredited."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from architecture.house import ROOT, files_of_the_project

_LINK = re.compile(r"\]\(([^)\s]+)\)")


def test_every_link_between_our_pages_leads_to_a_file() -> None:
    pages = [path for path in files_of_the_project() if path.suffix == ".md"]
    assert [each for page in pages for each in _broken_links(page)] == []


def test_every_package_that_we_ask_for_is_credited() -> None:
    page = (ROOT / "THIRD_PARTY.md").read_text(encoding="utf-8").lower()
    assert {name for name in _packages() if f"| {name.lower()}" not in page} == set()


def _broken_links(page: Path) -> list[str]:
    links = _LINK.findall(page.read_text(encoding="utf-8"))
    paths = {link.partition("#")[0] for link in links if "://" not in link}
    return [
        f"{page.relative_to(ROOT)}: {path}"
        for path in sorted(paths)
        if path and not (page.parent / path).exists()
    ]


def _packages() -> set[str]:
    """Give the names of the packages that our own pyproject files ask for."""
    files = [path for path in files_of_the_project() if path.name == "pyproject.toml"]
    wishes = {wish for path in files for wish in _wishes(tomllib.loads(path.read_text()))}
    names = {re.split(r"[\[<>=~ ]", wish, maxsplit=1)[0] for wish in wishes}
    return {name for name in names if not name.startswith("turnwire")}


def _wishes(project: dict[str, Any]) -> Iterator[str]:
    about = project["project"]
    yield from about.get("dependencies", [])
    extras = about.get("optional-dependencies", {})
    groups = project.get("dependency-groups", {})
    for wishes in (*extras.values(), *groups.values()):
        yield from wishes
