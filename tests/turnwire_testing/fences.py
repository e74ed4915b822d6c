"""The fenced code blocks of a Markdown page, in order, with their headings and attributes."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from markdown_it import MarkdownIt

_ATTRIBUTE = re.compile(r'([\w-]+)="([^"]*)"')


@dataclass(frozen=True)
class Fence:
    """One code block: ```` ```language name="value" ````."""

    page: Path
    line: int
    """Where it begins, from 1."""
    heading: str
    """The nearest heading above it."""
    language: str
    text: str
    attributes: dict[str, str] = field(default_factory=dict[str, str])

    def __str__(self) -> str:
        """Name its place."""
        return f"{self.page.name}:{self.line}"


def fences(page: Path) -> list[Fence]:
    """Read a page; blocks that are only indented are none."""
    found: list[Fence] = []
    heading, is_heading = "", False
    for token in MarkdownIt().parse(page.read_text(encoding="utf-8")):
        if is_heading:
            heading = token.content
        is_heading = token.type == "heading_open"
        if token.type == "fence" and token.map is not None:
            language, _, rest = token.info.partition(" ")
            attributes = dict(_ATTRIBUTE.findall(rest))
            line = token.map[0] + 1
            found.append(Fence(page, line, heading, language, token.content, attributes))
    return found


NOT_RUN = "data-not-run"
"""The attribute of a block that no test runs; it says why."""


def documented_pages(root: Path) -> list[Path]:
    """Give the pages that users read first: the README, and all that lies in `docs` itself."""
    return [root / "README.md", *sorted((root / "docs").glob("*.md"))]


def to_run(page: Path, language: str) -> list[Fence]:
    """Give the blocks of a page in this language that are run, in their order."""
    found = (fence for fence in fences(page) if fence.language == language)
    return [fence for fence in found if NOT_RUN not in fence.attributes]
