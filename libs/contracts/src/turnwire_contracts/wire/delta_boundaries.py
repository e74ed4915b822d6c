"""Where a text was cut into deltas: about one character for each delta.

A finished turn keeps no frames, only its text and these cuts; from both, every delta frame can be
written again byte for byte. A delta of n characters is one letter of a 64-letter alphabet for
n < 64, and `(n)` for longer ones. Where deltas carried log probabilities, `|` and how many each
carried follow.
"""

from collections.abc import Iterable, Iterator
from itertools import repeat

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_LENGTHS = {letter: length for length, letter in enumerate(_LETTERS)}


def written(lengths: Iterable[int], logprobs: Iterable[int] = ()) -> str:
    """Write the lengths of the deltas of one text in characters, and their numbers of logprobs."""
    counts = list(logprobs)
    return _letters(lengths) + (f"|{_letters(counts)}" if any(counts) else "")


def split(text: str, cuts: str) -> Iterator[tuple[str, int]]:
    """Cut `text` again where it was cut: each delta, and how many logprobs it carried.

    Without cuts it is one delta, or none when empty.
    Raises `ValueError` when the cuts are not those of this text.
    """
    if not cuts:
        if text:
            yield text, 0
        return
    start = 0
    lengths, _, counts = cuts.partition("|")
    carried = _lengths(counts) if counts else repeat(0)
    for length, count in zip(_lengths(lengths), carried, strict=False):
        yield text[start : start + length], count
        start += length
    if start != len(text):
        raise ValueError(f"cuts cover {start} of {len(text)} characters")


def _letters(numbers: Iterable[int]) -> str:
    return "".join(_LETTERS[n] if n < len(_LETTERS) else f"({n})" for n in numbers)


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
