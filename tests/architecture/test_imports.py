"""Who may import whom: the contracts in pyproject.toml, and the one place for each framework."""

import ast
import subprocess
import sys
from pathlib import Path

from architecture.house import ROOT, Module, modules

FRAMEWORKS = {"fastapi", "faststream"}


def test_the_contracts_between_packages_are_kept() -> None:
    tool = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run(
        (tool, "--no-cache"), cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_only_app_modules_import_a_framework() -> None:
    others = [m for m in modules() if m.ships and m.path.stem != "app" and _imports(m) & FRAMEWORKS]
    assert [module.place for module in others] == []


def _imports(module: Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(module.tree):
        match node:
            case ast.Import():
                names |= {each.name for each in node.names}
            case ast.ImportFrom():
                names.add(node.module or "")
            case _:
                pass
    return {name.partition(".")[0] for name in names}
