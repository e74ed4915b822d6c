"""A long text as overlapping pieces: a few lines in a long page must not drown in it. Pure."""

_LENGTH = 1000
_STEP = 800


def windows(text: str) -> list[str]:
    """Give pieces that overlap, so that what one cuts in two is whole in the next."""
    if len(text) <= _LENGTH:
        return [text]
    return [text[begin : begin + _LENGTH] for begin in range(0, len(text) - _LENGTH + _STEP, _STEP)]
