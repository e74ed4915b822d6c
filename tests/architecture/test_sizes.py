"""Small things can be read: how long a module, a function and a signature may be."""

import ast

from architecture.house import Function, Module, modules

LONGEST_MODULE = 300
LONGEST_FUNCTION = 40
MOST_ARGUMENTS = 5
MOST_FILES = 20

# A test may tell a longer story: its cases stand side by side.
LONGEST_TEST_MODULE = 400
LONGEST_TEST = 60

BANNED_NAMES = {
    "utils", "helpers", "common", "misc", "base", "core", "manager", "service", "services",
}  # fmt: skip

_TABLE_SHARE = 0.6


def test_no_module_is_longer_than_three_hundred_lines() -> None:
    long = {
        module.place: length
        for module in modules()
        if (length := len(module.text.splitlines()))
        > (LONGEST_TEST_MODULE if _is_test(module) else LONGEST_MODULE)
    }
    assert long == {}


def test_no_function_is_longer_than_forty_lines_unless_it_is_a_match_table() -> None:
    long = {
        _name(module, function): _length(function) - _recorded(function)
        for module in modules()
        for function in module.functions()
        if _length(function) - _recorded(function)
        > (LONGEST_TEST if _is_test(module) else LONGEST_FUNCTION)
        and not _is_table(function)
    }
    assert long == {}


def test_no_function_takes_more_than_five_arguments() -> None:
    crowded = {
        _name(module, function): _arguments(function)
        for module in modules()
        for function in module.functions()
        if _arguments(function) > MOST_ARGUMENTS and not _declares(function)
    }
    assert crowded == {}


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [m.place for m in modules() if m.path.stem in BANNED_NAMES] == []


def test_a_folder_has_twenty_files_at_most() -> None:
    counts: dict[str, int] = {}
    for module in modules():
        if module.path.stem != "__init__" and not _is_test(module):
            folder = module.place.rpartition("/")[0]
            counts[folder] = counts.get(folder, 0) + 1
    assert {folder: count for folder, count in counts.items() if count > MOST_FILES} == {}


def _is_test(module: Module) -> bool:
    return "tests" in module.path.parts


def _name(module: Module, function: Function) -> str:
    return f"{module.place}:{function.lineno} {function.name}"


def _length(node: ast.stmt | ast.expr) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _recorded(function: Function) -> int:
    """Count the lines of inline snapshots: they are data that a tool writes."""
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    taken = [c for c in calls if isinstance(c.func, ast.Name) and c.func.id == "snapshot"]
    return sum(map(_length, taken))


def _is_table(function: Function) -> bool:
    matches = [node for node in function.body if isinstance(node, ast.Match)]
    return sum(map(_length, matches)) > _TABLE_SHARE * _length(function)


def _declares(function: Function) -> bool:
    """Tell whether they are what a user may say: parameters of a route."""
    calls = [each.func for each in function.decorator_list if isinstance(each, ast.Call)]
    names = [each.attr if isinstance(each, ast.Attribute) else ast.unparse(each) for each in calls]
    return "operation" in names


def _arguments(function: Function) -> int:
    given = function.args
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    return len([each for each in named if each.arg not in {"self", "cls"} and not _is_option(each)])


def _is_option(argument: ast.arg) -> bool:
    """Tell whether it is what a user may say to a command."""
    said = "" if argument.annotation is None else ast.unparse(argument.annotation)
    return said.startswith("Annotated[") and ("typer.Option(" in said or "typer.Argument(" in said)
