"""HTML from texts: escaped, with the few marks that our descriptions use."""

import re
from collections.abc import Iterable, Sequence
from html import escape

_CODE = re.compile(r"`([^`]+)`")
_STRONG = re.compile(r"\*\*([^*]+)\*\*")


def inline(text: str) -> str:
    """Write a text; backticks mark code, two asterisks what is important."""
    marked = _CODE.sub(r"<code>\1</code>", escape(text, quote=False))
    return _STRONG.sub(r"<strong>\1</strong>", marked)


def paragraphs(text: str) -> str:
    """Write a text whose blank lines part paragraphs."""
    return "".join(f"<p>{inline(' '.join(each.split()))}</p>" for each in text.split("\n\n"))


def code(text: str) -> str:
    """Write a text as code."""
    return f"<code>{escape(text, quote=False)}</code>"


def anchored(place: str, html: str) -> str:
    """Link to a place on the page."""
    return f'<a href="#{escape(place)}">{html}</a>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table of cells that are HTML already; nothing without rows."""
    lines = ["".join(f"<td>{cell}</td>" for cell in row) for row in rows]
    if not lines:
        return ""
    names = "".join(f"<th>{inline(name)}</th>" for name in head)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table>"
