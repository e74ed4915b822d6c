"""Where a text was cut into deltas: about one character for each delta.

A finished turn keeps no frames, only its text and these cuts; from both, every delta frame can be
written again byte for byte. A delta of n characters is one letter of a 64-letter alphabet for
n < 64, and `(n)` for longer ones.
"""

from collections.abc import Iterable, Iterator

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_LENGTHS = {letter: length for length, letter in enumerate(_LETTERS)}


def written(lengths: Iterable[int]) -> str:
    """Write the lengths of the deltas of one text, counted in characters."""
    return "".join(_LETTERS[n] if n < len(_LETTERS) else f"({n})" for n in lengths)


def split(text: str, cuts: str) -> Iterator[str]:
    """Cut `text` again where it was cut; without cuts it is one delta, or none when empty.

    Raises `ValueError` when the cuts are not those of this text.
    """
    if not cuts:
        if text:
            yield text
        return
    start = 0
    for length in _lengths(cuts):
        yield text[start : start + length]
        start += length
    if start != len(text):
        raise ValueError(f"cuts cover {start} of {len(text)} characters")


def _lengths(cuts: str) -> Iterator[int]:
    rest = iter(cuts)
    for letter in rest:
        if letter != "(":
            if letter not in _LENGTHS:
                raise ValueError(f"{letter!r} is no length of a delta")
            yield _LENGTHS[letter]
            continue
        digits = ""
        for digit in rest:
            if digit == ")":
                break
            digits += digit
        yield int(digits)
