"""`docs/llms.txt`: the pages for agents that read documentation (https://llmstxt.org).

A title, a summary, and links with what stands behind them; the pages and their order are those of
`mkdocs.yml`, and each is described by its own first sentence.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import yaml

_DOCS = Path(__file__).parent
_SKIPPED = {"index.md"}
_NO_PROSE = ("```", "Written by ")
_DECISION = re.compile(r"adr/\d")
_LINK = re.compile(r"\[([^]]*)\]\([^)]*\)")
_HEAD = """\
# Turnwire

> An open, self-hosted Stateful Responses API between applications and any inference server that
> speaks the OpenAI Responses API: conversations that persist, streams that survive a lost
> connection or a dead process, background work, MCP tools, guardrails, tenants, and an event log
> from which everything can be replayed.

It runs with `uvx turnwire up` at http://127.0.0.1:8080/v1. Any OpenAI SDK is a client of it. A
running gateway describes all routes at `/openapi.json`. `turnwire log RESPONSE` explains what a
turn did; `turnwire mcp` gives the same to an agent.
"""


def llms_page() -> str:
    """Write the whole file."""
    # The theme's tags of Python are no data.
    text = (_DOCS.parent / "mkdocs.yml").read_text(encoding="utf-8")
    nav: list[dict[str, Any]] = yaml.safe_load(text.partition("\nnav:\n")[2])
    return "\n".join((_HEAD, *_section("Start", nav)))


def _section(title: str, entries: list[dict[str, Any]]) -> Iterator[str]:
    pages = [(name, at) for entry in entries for name, at in entry.items() if isinstance(at, str)]
    shown = [(name, at) for name, at in pages if at not in _SKIPPED and not _DECISION.match(at)]
    if shown:
        yield f"## {title}\n"
        yield from (f"- [{name}]({at}): {_about(_DOCS / at)}" for name, at in shown)
        yield ""
    for entry in entries:
        for name, below in entry.items():
            if isinstance(below, list):
                yield from _section(name, cast("list[dict[str, Any]]", below))


def _about(page: Path) -> str:
    """Give the first sentence of a page that is no heading, list, table or code."""
    for block in page.read_text(encoding="utf-8").split("\n\n"):
        text = _LINK.sub(r"\1", " ".join(block.split()))
        if text and text[0] not in "#|<-!*>" and not text.startswith(_NO_PROSE):
            return re.split(r"(?<=\.)\s", text)[0].partition(" ```")[0].rstrip(".:") + "."
    return "Its own table."
