"""Calls that a client's items hold, and the answers to them. No I/O.

What the model calls in one go is answered as a whole or not at all. A client that goes on without
any answer has cancelled the calls; half an answer is a mistake (OpenAI refuses both). An answer
belongs to the newest call of its id that has no answer yet: some clients count their ids anew in
every turn. It stands behind its call, since strict backends take it nowhere else.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from msgspec import Struct

from turnwire_contracts.events import Failure, Item
from turnwire_contracts.wire.refusals import (
    answer_before_call,
    answered_already,
    call_not_found,
    output_missing,
)

CANCELLED = "This call was cancelled: it has no result."

_CALLS = ("function_call", "custom_tool_call")
_ANSWERS = ("function_call_output", "custom_tool_call_output")
_ANSWER_OF_SEARCH = "tool_search_output"
_SAID_BY_OTHERS = ("user", "system", "developer")
_EARLIER: Final = -1
"""The place of a call that stands before all items."""


class PrecedingCalls(Struct, frozen=True):
    """What stands before some items: whether the newest call of a `call_id` waits, or has one."""

    is_open: Callable[[str], bool]
    is_answered: Callable[[str], bool]
    waiting: Sequence[Item] = ()
    """An answer for each call of the newest turn that has none: that it was cancelled."""


NOTHING: Final = PrecedingCalls(lambda _: False, lambda _: False)


def is_call(item: Item) -> bool:
    """Tell whether an item is a call of a tool that its client runs."""
    return item["type"] in _CALLS and bool(item.get("call_id"))


def is_answer(item: Item) -> bool:
    """Tell whether an item answers a call; so do outputs of hosted tools that name theirs."""
    kind = str(item["type"])
    answers = kind in _ANSWERS or kind.endswith("_call_output") or kind == _ANSWER_OF_SEARCH
    return answers and isinstance(item.get("call_id"), str)


def may_be_answered(item: Item) -> bool:
    """Tell whether an answer may name an item: Codex answers calls of hosted tools, too."""
    call_id = item.get("call_id")
    return str(item["type"]).endswith("_call") and isinstance(call_id, str) and bool(call_id)


def cancelled(call: Item) -> Item:
    """Give the answer for a call that has none: that it was cancelled."""
    return {"type": f"{call['type']}_output", "call_id": call["call_id"], "output": CANCELLED}


def unpaired(
    items: Sequence[Item], earlier: PrecedingCalls = NOTHING, places: Sequence[int] | None = None
) -> Failure | None:
    """Find what is wrong with answers: each has one call, which stands before it, for itself.

    Calls that were made in one go are all answered, or none. What hosted tools gave may belong to a
    call that only the backend knows. `places` are those of the items in the client's `input`.
    """
    matches = _matches(items, earlier)
    if (half := _half_answered(items, matches, earlier)) is not None:
        return output_missing(half)
    for at, item in enumerate(items):
        if not is_answer(item) or at in matches:
            continue
        call_id = item["call_id"]
        made = [index for index, each in enumerate(items) if _is_call_of(call_id, each)]
        answers = [answer for answer in matches if items[answer]["call_id"] == call_id]
        place = at if places is None else places[at]
        if earlier.is_answered(call_id) or any(answer < at for answer in answers):
            return answered_already(call_id, place)
        if made:
            call = made[0] if places is None else places[made[0]]
            return answer_before_call(call_id, place, call)
        if item["type"] in _ANSWERS:
            return call_not_found(call_id)
    return None


def paired(items: list[Item], earlier: PrecedingCalls = NOTHING, *, goes_on: bool) -> list[Item]:
    """Give items with every answer behind its call, and without answers to no open call.

    An answer stands behind all that the model said with its call, and before everything if the call
    does. Calls that were left open are answered as cancelled. `goes_on`: something follows the
    items; if not, calls at their end may still be answered.
    """
    matches = _matches(items, earlier)
    groups = list(_groups(items))
    end_of = {at: end for group, end in groups for at in group}
    behind: dict[int, list[Item]] = {}
    for at, call in matches.items():
        behind.setdefault(end_of.get(call, _EARLIER), []).append(items[at])
    answered = {*matches.values()}
    for group, end in groups:
        left = [items[at] for at in group if at not in answered and is_call(items[at])]
        if left and (end in behind or goes_on or group[-1] != len(items) - 1):
            at = end if end in behind else group[-1]
            behind.setdefault(at, []).extend(map(cancelled, left))
    first = behind.get(_EARLIER, [])
    answered_ids = {item["call_id"] for item in first}
    result = [*first, *(item for item in earlier.waiting if item["call_id"] not in answered_ids)]
    for at, item in enumerate(items):
        # What a hosted tool gave may stand alone: only the backend knows its call.
        if at not in matches and item["type"] not in _ANSWERS:
            result.append(item)
        result += behind.get(at, ())
    return result


def left_open(items: Sequence[Item]) -> list[Item]:
    """Give the calls that none of the items answers."""
    answered = {*_matches(items, NOTHING).values()}
    return [item for at, item in enumerate(items) if may_be_answered(item) and at not in answered]


def _matches(items: Sequence[Item], earlier: PrecedingCalls) -> dict[int, int]:
    """Give the place of each answer's call, by the place of the answer."""
    end_of = {at: end for group, end in _groups(items) for at in group}
    waiting: dict[str, list[int]] = {}
    matches: dict[int, int] = {}
    taken: set[str] = set()
    for at, item in enumerate(items):
        if may_be_answered(item):
            waiting.setdefault(item["call_id"], []).append(at)
        elif is_answer(item):
            call_id = item["call_id"]
            if places := waiting.get(call_id):
                newest = end_of[places[-1]]
                matches[at] = next(call for call in places if end_of[call] == newest)
                places.remove(matches[at])
            elif call_id not in taken and earlier.is_open(call_id):
                matches[at] = _EARLIER
                taken.add(call_id)
    return matches


def _half_answered(
    items: Sequence[Item], matches: dict[int, int], earlier: PrecedingCalls
) -> str | None:
    """Name the first call without an answer among calls that were made with it and have one."""
    answered = {*matches.values()}
    for group, _ in _groups(items):
        calls = [at for at in group if is_call(items[at])]
        missing = [items[at]["call_id"] for at in calls if at not in answered]
        if missing and len(missing) < len(calls):
            return missing[0]
    answered_ids = {items[at]["call_id"] for at, call in matches.items() if call == _EARLIER}
    left = [item["call_id"] for item in earlier.waiting if item["call_id"] not in answered_ids]
    return left[0] if left and len(left) < len(earlier.waiting) else None


def _is_call_of(call_id: str, item: Item) -> bool:
    return may_be_answered(item) and item["call_id"] == call_id


def _groups(items: Sequence[Item]) -> Iterator[tuple[list[int], int]]:
    """Give the places of calls that were made in one go, and the end of what was said with them.

    An answer ends it, or another's word.
    """
    group: list[int] = []
    for at, item in enumerate(items):
        if may_be_answered(item):
            group.append(at)
        elif group and (is_answer(item) or item.get("role") in _SAID_BY_OTHERS):
            yield group, at - 1
            group = []
    if group:
        yield group, len(items) - 1
