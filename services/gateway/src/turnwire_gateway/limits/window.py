"""Uses within a sliding span: no span of time of that length ever has more than is allowed. Pure.

A use counts for exactly one span. Uses of the same sixtieth of a span are kept as one, with the
time of the last: they may count a sixtieth too long, and never too short.
"""

from operator import itemgetter

PARTS = 60

_AMOUNT = itemgetter(1)

Uses = tuple[tuple[int, int], ...]
"""When, as Unix time in milliseconds, and how much; oldest first, at most one for each part."""


def recent(uses: Uses, now: int, span: int) -> Uses:
    """Give the uses that still count at `now`; `span` in milliseconds.

    Those of a time to come count from now on.
    """
    if uses and uses[-1][0] > now:
        uses = tuple((min(at, now), amount) for at, amount in uses)
    over = 0
    for at, _ in uses:
        if at > now - span:
            break
        over += 1
    return uses[over:]


def total(uses: Uses) -> int:
    """Add them up."""
    return sum(map(_AMOUNT, uses))


def added(uses: Uses, now: int, amount: int, span: int) -> Uses:
    """Count one more use at `now`, which is not before the last one."""
    if not amount:
        return uses
    part = max(1, span // PARTS)
    if uses and uses[-1][0] // part == now // part:
        return (*uses[:-1], (now, uses[-1][1] + amount))
    return (*uses, (now, amount))


def room_at(uses: Uses, most: int, span: int) -> int:
    """Tell when no more than `most` of these uses count, if nothing is added; 0 for already."""
    left = total(uses)
    when = 0
    for at, amount in uses:
        if left <= most:
            break
        left -= amount
        when = at + span
    return when


def all_back_at(uses: Uses, span: int) -> int:
    """Tell when none of these uses counts any more; 0 for already."""
    return uses[-1][0] + span if uses else 0
