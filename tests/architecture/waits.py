"""Waits without a deadline in what ships, found in the syntax tree.

A wait is `await` on something that another task, thread, process or peer must do: a future or
task, an event, a queue, a lock, a subprocess, the next message. It has a deadline inside
`async with asyncio.timeout(...)`, in `asyncio.wait_for(...)`, or by an argument `timeout`. What
a wait on our own coroutine comes to is found inside of that coroutine.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from architecture.house import Module

_WAITS: Final = frozenset(
    {"wait", "join", "acquire", "communicate", "next_msg", "receive", "drain", "shield"}
)
"""Calls that wait for something else, by their last name."""

_QUEUES: Final = frozenset({"get", "put"})
"""These wait if they are a queue's; an HTTP client's have an argument more."""

_DEADLINES: Final = frozenset({"timeout", "timeout_at", "move_on_after", "fail_after"})


@dataclass(frozen=True, order=True)
class Wait:
    """One wait without a deadline."""

    where: str
    """`<package>/<module>.py: <class>.<function>`, which outlives changes of lines."""
    what: str


def unbounded(module: Module) -> Iterator[Wait]:
    """Find the waits of a module that have no deadline."""
    yield from _Finder(module.path.name, module.place).found(module.tree)


class _Finder:
    def __init__(self, name: str, place: str) -> None:
        package = place.partition("/src/")[2].partition("/")[0].removeprefix("turnwire_")
        self._file = f"{package}/{name}"

    def found(self, node: ast.AST, scope: str = "", *, bounded: bool = False) -> Iterator[Wait]:
        match node:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                scope = f"{scope}.{node.name}" if scope else node.name
                bounded = False
            case ast.AsyncWith() if any(_is_deadline(item.context_expr) for item in node.items):
                bounded = True
            case ast.AsyncWith() if not bounded:
                for item in node.items:
                    if isinstance(item.context_expr, ast.Name | ast.Attribute):
                        yield self._wait(scope, f"async with {ast.unparse(item.context_expr)}")
            case ast.Await(value=value) if not bounded and _waits(value):
                yield self._wait(scope, ast.unparse(node))
            case _:
                pass
        for child in ast.iter_child_nodes(node):
            yield from self.found(child, scope, bounded=bounded)

    def _wait(self, scope: str, what: str) -> Wait:
        return Wait(f"{self._file}: {scope}", what)


def _last_name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _is_deadline(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and _last_name(node.func) in _DEADLINES


def _waits(value: ast.expr) -> bool:
    if not isinstance(value, ast.Call):
        # A future, a task, or a coroutine that was made elsewhere.
        return True
    name = _last_name(value.func)
    if any(keyword.arg in {"timeout", "within_s"} for keyword in value.keywords):
        return False
    if name in _QUEUES:
        return _is_queue(value.func)
    return name in _WAITS


def _is_queue(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and "queue" in ast.unparse(node.value).lower()
