"""The maps of the code are true: READMEs name every package, architecture.md every step."""

import re
from pathlib import Path
from typing import get_args

import pytest

from architecture.house import ROOT, files_of_the_project
from turnwire_contracts.react import Step

PROJECTS = sorted(path.parent for path in ROOT.glob("*/*/pyproject.toml"))
PAGES = (
    ROOT / "CONTRIBUTING.md",
    ROOT / "docs" / "architecture.md",
    *(project / "README.md" for project in PROJECTS),
)
_MODULE = re.compile(r"`([\w/]+\.py)`")


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.name)
def test_a_readme_names_every_package_and_every_module_beside_them(project: Path) -> None:
    page = (project / "README.md").read_text(encoding="utf-8")
    assert [part for part in parts(project) if f"`{part}`" not in page] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_map_names_no_module_that_is_not_there(page: Path) -> None:
    places = [f"/{path.relative_to(ROOT)}" for path in files_of_the_project()]
    named = _MODULE.findall(page.read_text(encoding="utf-8"))
    assert [name for name in named if not any(at.endswith(f"/{name}") for at in places)] == []


def test_the_story_of_a_turn_names_every_step() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    (listed,) = re.findall(r"\*step\*: what a turn needs next \((.*?)\)", page, flags=re.DOTALL)
    assert set(re.findall(r"`(\w+)`", listed)) == {step.__name__ for step in get_args(Step)}
    _, _, story = page.partition("## A turn's life")
    assert [step.__name__ for step in get_args(Step) if f"**{step.__name__}**" not in story] == []


def parts(project: Path) -> list[str]:
    """Give the packages of a project, and the modules that lie in none of them."""
    (source,) = project.glob("src/turnwire_*")
    packages = [f"{path.parent.relative_to(source)}/" for path in source.rglob("*/__init__.py")]
    modules = [path.name for path in source.glob("*.py") if not path.name.startswith("__")]
    return sorted([*packages, *modules])
