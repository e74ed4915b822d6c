"""What differs between two responses: what was asked, what was said, what it cost. Pure."""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher, unified_diff
from typing import Any, Final

import orjson

from turnwire_contracts.events import Item
from turnwire_contracts.json_values import JSON
from turnwire_contracts.queries import Running
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.wire.items import parts_of
from turnwire_contracts.wire.response import closed_response, running_response
from turnwire_gateway.api.conversation_objects import asked_items

_MOST_COMPARED: Final = 2_000
"""How many lines or items are set side by side: the time grows with their square."""

_OF_REQUEST_ALONE: Final = frozenset(
    {
        *("id", "object", "created_at", "completed_at", "status", "error", "incomplete_details"),
        *("output", "usage", "instructions"),
    }
)
"""Members of a response object that say nothing of what was asked, or have a place of their own."""

_NAMES: Final = frozenset({"id", "call_id", "status", "approval_request_id"})
"""Members of an item that differ though the same was said."""

_CHANGES: Final = {"equal": "same", "insert": "added", "delete": "removed", "replace": "replaced"}

Found = ClosedTurn | Running


def response_diff(before: Found, after: Found) -> JSON:
    """Compare two responses, which may both still run."""
    first, second = _object(before), _object(after)
    return {
        "object": "response.diff",
        "before": first["id"],
        "after": second["id"],
        "request": _fields(first, second),
        "instructions": _texts(first["instructions"] or "", second["instructions"] or ""),
        "input": _items(asked_items(before.request), asked_items(after.request)),
        "output": _items(first["output"], second["output"]),
        "text": _texts(_text(first["output"]), _text(second["output"])),
        "usage": _usage(first["usage"], second["usage"]),
        "timings": _timings(before, after),
        "end": _end(first, second),
    }


def _object(found: Found) -> JSON:
    if isinstance(found, ClosedTurn):
        return closed_response(found)
    return running_response(found.request, found.instructions, started=found.started)


def _fields(first: JSON, second: JSON) -> list[JSON]:
    """Give the fields of the request that differ, by their names."""
    names = sorted((first.keys() | second.keys()) - _OF_REQUEST_ALONE)
    return [
        {"field": name, "before": first.get(name), "after": second.get(name)}
        for name in names
        if first.get(name) != second.get(name)
    ]


def _items(first: Sequence[Item], second: Sequence[Item]) -> list[JSON]:
    """Set items side by side, the same ones by what they say."""
    said = [[_said(item) for item in items[:_MOST_COMPARED]] for items in (first, second)]
    rows: list[JSON] = []
    for tag, i, i_end, j, j_end in SequenceMatcher(None, *said, autojunk=False).get_opcodes():
        for row in range(max(i_end - i, j_end - j)):
            left = first[i + row] if i + row < i_end else None
            right = second[j + row] if j + row < j_end else None
            change = _CHANGES[tag]
            if tag == "replace" and (left is None or right is None):
                change = "added" if left is None else "removed"
            rows.append({"change": change, "before": left, "after": right})
    return rows


def _said(item: Item) -> bytes:
    said = {name: value for name, value in item.items() if name not in _NAMES}
    return orjson.dumps(said, option=orjson.OPT_SORT_KEYS)


def _text(output: Sequence[Item]) -> str:
    messages = [item for item in output if item["type"] == "message"]
    return "".join(str(part.get("text") or "") for item in messages for part in parts_of(item))


def _texts(first: str, second: str) -> JSON:
    """Compare texts line by line; `unified` is null where they are the same, or too long."""
    lines = first.splitlines(), second.splitlines()
    unified = None
    if first != second and max(map(len, lines)) <= _MOST_COMPARED:
        unified = "\n".join(unified_diff(*lines, "before", "after", lineterm=""))
    return {"equal": first == second, "unified": unified}


def _usage(first: JSON | None, second: JSON | None) -> JSON:
    change = dict(_numbers(first, second)) if first and second else None
    return {"before": first, "after": second, "change": change}


def _numbers(first: JSON, second: JSON) -> Iterator[tuple[str, Any]]:
    for name, value in first.items():
        other = second.get(name)
        if isinstance(value, int) and isinstance(other, int):
            yield name, other - value


def _timings(before: Found, after: Found) -> JSON:
    first, second = _duration(before), _duration(after)
    change = None if first is None or second is None else second - first
    return {"before": _timing(before), "after": _timing(after), "change_ms": change}


def _timing(found: Found) -> JSON:
    """Times are Unix seconds; how long it took, in milliseconds, is known once it has ended."""
    began = found.request.at
    ended = found.closed.at if isinstance(found, ClosedTurn) else None
    return {
        "created_at": began / 1000,
        "ended_at": None if ended is None else ended / 1000,
        "duration_ms": _duration(found),
    }


def _duration(found: Found) -> int | None:
    return found.closed.at - found.request.at if isinstance(found, ClosedTurn) else None


def _end(first: JSON, second: JSON) -> JSON:
    names = ("status", "incomplete_details", "error")
    ends = [{name: each[name] for name in names} for each in (first, second)]
    return {"equal": ends[0] == ends[1], "before": ends[0], "after": ends[1]}
