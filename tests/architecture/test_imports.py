"""Who may import whom: the contracts in pyproject.toml, and the one place for each framework."""

import ast
import subprocess
import sys
from pathlib import Path

from architecture.house import ROOT, Module, modules

FRAMEWORKS = {"fastapi": "app", "faststream": "answering"}
"""Each framework, and the name of the module that may know it."""


def test_the_contracts_between_packages_are_kept() -> None:
    tool = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run(
        (tool, "--no-cache"), cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_each_framework_is_known_in_one_place() -> None:
    others = [
        (module.place, framework)
        for module in modules()
        for framework, place in FRAMEWORKS.items()
        if module.ships and module.path.stem != place and framework in _imports(module)
    ]
    assert others == []


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
