"""The part of a page that is written from code, between two comments; the prose around it stays."""

from pathlib import Path

_END = "<!-- The end of what is written. -->"


def with_part(page: Path, source: str, text: str) -> str:
    """Give the whole page with `text` as its written part; `source`: what it is written from.

    Raises `ValueError` for a page without the comments that say where it is to stand.
    """
    mark = f"<!-- Written by docs/generate.py from {source}. -->"
    before, begin, rest = page.read_text(encoding="utf-8").partition(mark)
    _, end, after = rest.partition(_END)
    if not (begin and end):
        raise ValueError(f"{page} does not say where what is written is to stand: {mark}, {_END}")
    return f"{before}{mark}\n\n{text}\n\n{_END}{after}"
