"""Reads from source what the running program has forgotten: the docstrings below fields."""

import ast
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

Row = tuple[str, ...]


@dataclass(frozen=True)
class Field:
    """One field of a class, or one name of a module."""

    name: str
    annotation: str
    default: str | None
    doc: str


@dataclass(frozen=True)
class Shape:
    """One class and the fields that it adds to those of its base."""

    name: str
    base: str
    doc: str
    fields: list[Field] = field(default_factory=list[Field])


def shapes(module: ModuleType) -> dict[str, Shape]:
    """Give the classes of a module, in its order."""
    classes = [node for node in _tree(module).body if isinstance(node, ast.ClassDef)]
    return {node.name: _shape(node) for node in classes}


def names(module: ModuleType) -> list[Field]:
    """Give the names that a module assigns at its top, in its order."""
    return _fields(_tree(module).body)


def functions(module: ModuleType) -> dict[str, tuple[list[str], str]]:
    """Give the public functions of a module: their parameters, and the first line of their doc."""
    public = [node for node in _tree(module).body if isinstance(node, ast.FunctionDef)]
    return {
        node.name: ([each.arg for each in node.args.args], _first_line(node))
        for node in public
        if not node.name.startswith("_")
    }


def summary(doc: str) -> str:
    """Give a docstring as one line."""
    return " ".join(doc.split())


def table(head: Row, rows: list[Row]) -> str:
    """Write a table of Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def code(text: str) -> str:
    """Write a text as code; an empty one stays empty."""
    return f"`{text}`" if text else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _tree(module: ModuleType) -> ast.Module:
    return ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))


def _shape(node: ast.ClassDef) -> Shape:
    base = ast.unparse(node.bases[0]) if node.bases else ""
    return Shape(node.name, base, summary(ast.get_docstring(node) or ""), _fields(node.body))


def _fields(body: list[ast.stmt]) -> list[Field]:
    found: list[Field] = []
    for node, following in zip(body, [*body[1:], ast.Pass()], strict=True):
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=kind, value=value):
                encoded, default = _encoded(name, value)
                found.append(Field(encoded, ast.unparse(kind), default, _doc(following)))
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found.append(Field(name, "", ast.unparse(value), _doc(following)))
            case _:
                pass
    return found


def _encoded(name: str, value: ast.expr | None) -> tuple[str, str | None]:
    """Give the name and the default of a field as it is encoded: `msgspec.field` may say both."""
    match value:
        case None:
            return name, None
        case ast.Call(func=ast.Name(id="field"), keywords=keywords):
            said = {keyword.arg: keyword.value for keyword in keywords}
            encoded, default = said.get("name"), said.get("default")
            if isinstance(encoded, ast.Constant):
                name = str(encoded.value)
            return name, None if default is None else ast.unparse(default)
        case _:
            return name, ast.unparse(value)


def _doc(node: ast.stmt) -> str:
    match node:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return summary(text)
        case _:
            return ""


def _first_line(node: ast.FunctionDef) -> str:
    return (ast.get_docstring(node) or "").partition("\n")[0]
