"""The glossary has one meaning for a term, in the order of the alphabet, and names its source."""

import re

from architecture.house import ROOT

PAGE = ROOT / "docs" / "glossary.md"


def rows() -> list[tuple[str, str, str]]:
    """Give term, meaning and source of every entry."""
    text = PAGE.read_text(encoding="utf-8").partition("|---|---|---|\n")[2]
    cells = [re.split(r" \| ", line.strip("| ")) for line in text.splitlines()]
    assert {len(row) for row in cells} == {3}
    return [(term, meaning, source) for term, meaning, source in cells]


def test_every_term_has_one_meaning_and_stands_in_its_place() -> None:
    terms = [name.casefold() for term, *_ in rows() for name in term.split(", ")]
    assert len(terms) == len(set(terms))
    listed = [term.casefold() for term, *_ in rows()]
    assert listed == sorted(listed)


def test_every_term_has_a_meaning_and_a_source() -> None:
    assert [term for term, meaning, source in rows() if not (meaning and source)] == []


def test_the_words_that_the_story_of_a_turn_begins_with_are_in_the_glossary() -> None:
    story = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    words = story.partition("## Words\n")[2].partition("\n## ")[0]
    terms = {name for term, *_ in rows() for name in term.split(", ")}
    assert set(re.findall(r"\*(\w+)\*:", words)) <= terms
