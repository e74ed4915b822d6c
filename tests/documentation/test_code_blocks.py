"""Every code block of the pages can be read: as its language, whether a test runs it or not.

`tests/e2e/test_documented_blocks.py` runs those in Python and bash that are not marked.
"""

import ast
import json
import subprocess
import tomllib
from collections.abc import Callable

import pytest
import yaml
from markdown_it import MarkdownIt

from architecture.house import ROOT
from turnwire_chassis.setting_names import SETTING_NAMES
from turnwire_testing.fences import NOT_RUN, Fence, documented_pages, fences

PAGES = documented_pages(ROOT)
BLOCKS = [fence for page in PAGES for fence in fences(page)]
RUNNABLE = {"python", "bash"}


def reads_bash(text: str) -> None:
    """Have bash read a script without running it."""
    read = subprocess.run(("bash", "-n"), input=text, check=False, capture_output=True, text=True)
    if read.returncode:
        raise ValueError(read.stderr)


def names_settings(text: str) -> None:
    """Read lines of `NAME=value`."""
    names = {line.partition("=")[0] for line in text.splitlines() if line}
    if unknown := names - SETTING_NAMES:
        raise ValueError(f"no settings: {unknown}")


def says_something(text: str) -> None:
    """Read what is for people only."""
    if not text.strip():
        raise ValueError("empty")


READ: dict[str, Callable[[str], object]] = {
    "bash": reads_bash,
    "console": says_something,
    "ini": names_settings,
    "json": json.loads,
    "mermaid": says_something,
    "python": ast.parse,
    "text": says_something,
    "toml": tomllib.loads,
    "yaml": lambda text: list(yaml.safe_load_all(text)),
}


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_code_block_can_be_read(block: Fence) -> None:
    assert block.language in READ, f"{block}: '{block.language}' is no language that is checked"
    READ[block.language](block.text)


def test_no_code_block_hides_its_language() -> None:
    hidden = [
        f"{page.name}:{token.map[0] + 1}"
        for page in PAGES
        for token in MarkdownIt().enable("table").parse(page.read_text(encoding="utf-8"))
        if token.type == "code_block" and token.map
    ]
    assert hidden == []


def test_only_what_could_be_run_is_marked_as_not_run_and_says_why() -> None:
    marked = [block for block in BLOCKS if NOT_RUN in block.attributes]
    assert [str(each) for each in marked if each.language not in RUNNABLE] == []
    assert [str(each) for each in marked if not each.attributes[NOT_RUN]] == []
    run = [block for block in BLOCKS if block.language in RUNNABLE and block not in marked]
    assert len(run) > len(marked)
