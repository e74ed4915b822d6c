"""Calls that a client's items hold, and the answers to them. No I/O.

What the model calls in one go is answered as a whole or not at all. Whoever goes on without any
answer has cancelled the calls; half an answer is a mistake (OpenAI refuses both).
"""

from collections.abc import Iterator, Sequence

from turnwire_contracts.events import Item

CANCELLED = "This call was cancelled: it has no result."

_CALLS = ("function_call", "custom_tool_call")
_ANSWERS = ("function_call_output", "custom_tool_call_output")
_SAID_BY_OTHERS = ("user", "system", "developer")


def is_call(item: Item) -> bool:
    """Tell whether an item is a call of a tool that its client runs."""
    return item["type"] in _CALLS and bool(item.get("call_id"))


def is_answer(item: Item) -> bool:
    """Tell whether an item answers a call."""
    return item["type"] in _ANSWERS


def may_be_answered(item: Item) -> bool:
    """Tell whether an answer may name an item: Codex answers calls of hosted tools, too."""
    return str(item["type"]).endswith("_call") and bool(item.get("call_id"))


def cancelled(call: Item) -> Item:
    """Give the answer to a call that nobody has answered."""
    return {"type": f"{call['type']}_output", "call_id": call["call_id"], "output": CANCELLED}


def half_answered(items: Sequence[Item]) -> str | None:
    """Name the first call without an answer among calls that were made with it and have one."""
    answered = _answered(items)
    for group in _groups(items):
        calls = [items[at]["call_id"] for at in group]
        missing = [call_id for call_id in calls if call_id not in answered]
        if missing and len(missing) < len(calls):
            return missing[0]
    return None


def with_cancelled(items: list[Item], *, goes_on: bool) -> list[Item]:
    """Put in, behind calls that were left open, the answers that they were cancelled.

    `goes_on`: something follows the items; if not, calls at their end may still be answered.
    """
    answered = _answered(items)
    told: dict[int, list[Item]] = {}
    for group in _groups(items):
        is_last = group[-1] == len(items) - 1
        left = [items[at] for at in group if items[at]["call_id"] not in answered]
        if left and (goes_on or not is_last):
            told[group[-1]] = [cancelled(call) for call in left]
    if not told:
        return items
    return [each for at, item in enumerate(items) for each in (item, *told.get(at, ()))]


def _answered(items: Sequence[Item]) -> set[str | None]:
    return {item.get("call_id") for item in items if is_answer(item)}


def _groups(items: Sequence[Item]) -> Iterator[list[int]]:
    """Give the places of calls that were made in one go: an answer ends them, or another's word."""
    group: list[int] = []
    for at, item in enumerate(items):
        if is_call(item):
            group.append(at)
        elif group and (is_answer(item) or item.get("role") in _SAID_BY_OTHERS):
            yield group
            group = []
    if group:
        yield group
