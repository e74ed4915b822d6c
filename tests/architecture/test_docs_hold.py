"""The pages that people write: links lead somewhere, no code is left out, no package uncredited."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from architecture.house import ROOT, files_of_the_project, modules

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_PLACE_OF_CODE = {"invalid": slice(2, 3), "ToolServerError": slice(1)}
_CODE = re.compile(r"[a-z_]+")


def test_every_link_between_our_pages_leads_to_a_file() -> None:
    pages = [path for path in files_of_the_project() if path.suffix == ".md"]
    assert [each for page in pages for each in _broken_links(page)] == []


def test_every_error_code_is_explained() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert {code for code in _error_codes() if f"`{code}`" not in page} == set()


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


def _error_codes() -> set[str]:
    """Give the codes in our code: `code="…"`, `"code": "…"`, `code: str = "…"`, `invalid(…)`."""
    nodes = [node for module in modules() if module.ships for node in ast.walk(module.tree)]
    values = [value for node in nodes for value in _code_values(node)]
    return {
        each.value
        for value in values
        for each in ast.walk(value)
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
        if _CODE.fullmatch(each.value) and "_" in each.value
    }


def _code_values(node: ast.AST) -> Iterator[ast.expr]:
    match node:
        case ast.Call(func=ast.Name(id=name), args=given) if name in _PLACE_OF_CODE:
            yield from given[_PLACE_OF_CODE[name]]
        case ast.keyword(arg="code", value=value) if not isinstance(value, ast.JoinedStr):
            yield value
        case ast.Dict(keys=keys, values=values):
            named = zip(keys, values, strict=True)
            yield from (v for k, v in named if isinstance(k, ast.Constant) and k.value == "code")
        case ast.arguments(args=given, defaults=defaults):
            named = zip(reversed(given), reversed(defaults), strict=False)
            yield from (default for argument, default in named if argument.arg == "code")
        case _:
            pass


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
