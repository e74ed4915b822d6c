"""A name has one meaning: no two modules that ship have public classes of one name."""

import ast
from collections import defaultdict

from architecture.house import modules


def test_a_public_class_has_a_name_of_its_own() -> None:
    places: defaultdict[str, list[str]] = defaultdict(list)
    for module in modules():
        for node in module.tree.body if module.ships else ():
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(module.place)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


_VERBS = {"told", "asked", "heard", "wanted"}
"""Names that say what was done with a value, and not what it is."""


def test_a_variable_is_named_by_what_it_holds() -> None:
    found: list[str] = []
    for module in modules():
        for node in ast.walk(module.tree) if module.ships else ():
            match node:
                case ast.arg(arg=name) | ast.Name(id=name) if name in _VERBS:
                    found.append(f"{module.place}:{node.lineno} {name}")
                case _:
                    pass
    assert found == []
