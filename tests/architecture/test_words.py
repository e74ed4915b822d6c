"""Docstrings, comments and pages name who does something; docstrings say what code does not."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator

from architecture.house import ROOT, Module, modules

_PAGES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/*.md", "docs/adr/*.md")

_VAGUE = re.compile(r"\b(some|any|every|no)(body|one)\b|\bwhoever\b", re.IGNORECASE)
_NO_PERSON = re.compile(r"\b(every|any|some) one of\b", re.IGNORECASE)
_SAYS_SOMETHING = re.compile(r"`|\bRaises\b|\bNeeds\b|\d")


def _covered() -> Iterator[Module]:
    return (module for module in modules() if module.ships)


def test_docstrings_and_comments_name_who_does_something() -> None:
    vague = [
        f"{module.place}:{line}: {found[0]}"
        for module in _covered()
        for line, text in (*_docstrings(module), *_comments(module))
        if (found := _VAGUE.search(_NO_PERSON.sub("", text)))
    ]
    assert vague == []


def test_the_docstring_of_an_init_says_what_its_arguments_mean_or_is_left_out() -> None:
    filler = [
        f"{module.place}:{node.lineno}: {text}"
        for module in _covered()
        for node in module.functions()
        if node.name == "__init__" and (text := ast.get_docstring(node)) is not None
        if not _SAYS_SOMETHING.search(text)
    ]
    assert filler == []


def test_pages_name_who_does_something() -> None:
    vague = [
        f"{place}:{number}: {found[0]}"
        for place, text in _pages()
        for number, line in enumerate(text.splitlines(), start=1)
        if (found := _VAGUE.search(_NO_PERSON.sub("", line)))
    ]
    assert vague == []


def _pages() -> Iterator[tuple[str, str]]:
    for pattern in _PAGES:
        for path in sorted(ROOT.glob(pattern)):
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def _docstrings(module: Module) -> Iterator[tuple[int, str]]:
    """Give every text that stands alone: docstrings, also those below fields."""
    for node in ast.walk(module.tree):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield node.lineno, text
            case _:
                pass


def _comments(module: Module) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(module.text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
