"""Who may import whom: the contracts in pyproject.toml, and the one place for each framework."""

import ast
import re
import subprocess
import sys
from pathlib import Path

from architecture.house import ROOT, Module, modules

FRAMEWORKS = {"fastapi": ("/app.py", "/openapi/"), "faststream": ("/responder.py",)}
"""Each framework, and what is in the paths of the modules that may know it."""

_DOUBLE = re.compile("(Fake|InMemory|Memory|Scripted|Stub)[A-Z]")
"""How the classes begin that stand for ports in tests; they lie in `tests/turnwire_testing`."""


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
        for framework, places in FRAMEWORKS.items()
        if module.ships and framework in _imports(module)
        if not any(place in module.place for place in places)
    ]
    assert others == []


def test_what_ships_has_no_doubles_and_imports_none_of_the_tests() -> None:
    ship = [module for module in modules() if module.ships]
    assert [m.place for m in ship if "turnwire_testing" in _imports(m)] == []
    doubles = [
        f"{module.place} {node.name}"
        for module in ship
        for node in module.tree.body
        if isinstance(node, ast.ClassDef)
        and _DOUBLE.match(node.name)
        # One that serves is no double: limits that end with the process, for one.
        and not any(node.name in other.text for other in ship if other is not module)
    ]
    assert doubles == []


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
