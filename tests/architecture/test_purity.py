"""Decisions are values in, values out: no waiting, no clock, no chance, no outside world."""

import ast
from collections.abc import Iterator

from architecture.house import Module, modules

PURE_NAMES = {"decide", "evolve", "react", "project", "view_builder", "policy"}
"""A module of this name is pure, and so is one that defines a function of this name."""

_OUTSIDE = {
    "aiohttp", "asyncio", "datetime", "nats", "os", "pymongo", "random", "secrets", "socket",
    "structlog", "subprocess", "time", "uuid",
}  # fmt: skip
_CLOCKS_AND_DICE = {
    "monotonic", "now", "perf_counter", "time_ns", "today", "urandom", "utcnow", "uuid4",
}  # fmt: skip
_WAITING = (ast.Await, ast.AsyncFor, ast.AsyncWith, ast.AsyncFunctionDef)


def test_modules_that_decide_have_nothing_in_them_that_waits_or_looks_outside() -> None:
    pure = [module for module in modules() if _is_pure(module)]
    assert [each for module in pure for each in _impurities(module)] == []


def test_the_modules_that_decide_are_the_ones_we_think() -> None:
    names = {module.path.stem for module in modules() if _is_pure(module)}
    assert names >= {"decide", "react", "turn", "policy", "view_builder"}


def _is_pure(module: Module) -> bool:
    defined = {node.name for node in module.tree.body if isinstance(node, ast.FunctionDef)}
    return module.ships and bool(PURE_NAMES & {module.path.stem, *defined})


def _impurities(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if found := _impurity(node):
            line: int = getattr(node, "lineno", 0)
            yield f"{module.place}:{line} {found}"


def _impurity(node: ast.AST) -> str:
    match node:
        case ast.Import():
            outside = [each.name for each in node.names if _is_outside(each.name)]
            return f"imports {outside}" if outside else ""
        case ast.ImportFrom():
            return f"imports {node.module}" if _is_outside(node.module or "") else ""
        case ast.Call(func=ast.Attribute(attr=name)) if name in _CLOCKS_AND_DICE:
            return f"calls {name}"
        case ast.Call(func=ast.Name(id="open" | "print" | "input" as name)):
            return f"calls {name}"
        case _:
            return "waits" if isinstance(node, _WAITING) else ""


def _is_outside(module: str) -> bool:
    return module.partition(".")[0] in _OUTSIDE
