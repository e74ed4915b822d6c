"""The events of turns as services write them, mixed as they mix: what a rebuild has to read."""

from collections.abc import Iterator
from typing import Any, Final

from turnwire_contracts.conversation_events import (
    AnyConversationEvent,
    ConversationCreated,
    TurnAdded,
)
from turnwire_contracts.events import (
    AnyEvent,
    Closed,
    Deleted,
    Item,
    Purged,
    Requested,
    Sampled,
    Screened,
    ToolCalled,
    ToolReturned,
)
from turnwire_contracts.ids import ConversationId, OwnerId, ResponseId, TenantId

Event = AnyEvent | AnyConversationEvent

_LINE: Final = 20
"""So many turns follow one another; then a new line begins."""
_LINES: Final = 16
"""So many lines grow side by side, so that their events mix."""
_GUARDED: Final = 5
_WITH_TOOLS: Final = 10
_FORKED: Final = 15
_DELETED: Final = 100
_WORDS: Final = "The quick brown fox jumps over the lazy dog, and writes it down. " * 12
_AT: Final = 1_800_000_000_000


def events(turns: int) -> Iterator[Event]:
    """Give the events of so many turns, in an order in which a log may have them.

    Before each stands what is left of one whose time was over.
    """
    for first in range(0, turns, _LINE * _LINES):
        for step in range(_LINE):
            numbers = range(first + step, min(turns, first + _LINE * _LINES), _LINE)
            rounds = [list(_events_of(number)) for number in numbers]
            while any(rounds):
                yield from (waiting.pop(0) for waiting in rounds if waiting)


def _events_of(number: int) -> Iterator[Event]:
    place, line = number % _LINE, number // _LINE
    yield Purged(**_about(line, response_id=ResponseId(f"resp_{number:031x}f")))
    about = _about(line, response_id=_response_id(number))
    conversation = _conversation_id(line) if line % 4 == 0 else None
    if conversation and place == 0:
        yield ConversationCreated(
            **_about(line, conversation_id=conversation), owner=OwnerId("ada"), metadata={}
        )
    guarded = number % _GUARDED == 0
    yield Requested(
        **about,
        owner=OwnerId("ada"),
        model="bench-model",
        input=[{"type": "message", "role": "user", "content": _WORDS[:300]}],
        previous_response_id=_parent(number),
        conversation=conversation,
        stream=True,
        screen=guarded,
    )
    if guarded:
        yield Screened(**about)
    if number % _WITH_TOOLS == 1:
        yield from _round_of_tools(about, number)
    if conversation:
        yield TurnAdded(
            **_about(line, conversation_id=conversation), response_id=_response_id(number)
        )
    yield Closed(**about, status="completed", output=[_message(number)], cuts=[["AHGHBC" * 10]])
    if number % _DELETED == _DELETED - 1:
        yield Deleted(**about)


def _round_of_tools(about: dict[str, Any], number: int) -> Iterator[AnyEvent]:
    call: Item = {
        "id": f"mcp_{number:032x}o0",
        "type": "mcp_call",
        "server_label": "docs",
        "name": "search",
        "arguments": '{"q":"fox"}',
        "output": None,
        "error": None,
        "status": "in_progress",
    }
    yield Sampled(**about, output=[call])
    yield ToolCalled(**about, item_ids=[call["id"]])
    yield ToolReturned(**about, item_id=call["id"], output=_WORDS)


def _message(number: int) -> Item:
    part: Item = {"type": "output_text", "text": _WORDS, "annotations": [], "logprobs": []}
    return {
        "id": f"msg_{number:032x}o1",
        "type": "message",
        "role": "assistant",
        "content": [part],
        "status": "completed",
    }


def _parent(number: int) -> ResponseId | None:
    place = number % _LINE
    if place == 0:
        return None
    # A fork: two turns follow the same one.
    return _response_id(number - (2 if number % _FORKED == 0 and place > 1 else 1))


def _about(line: int, **names: Any) -> dict[str, Any]:
    tenant = TenantId(f"tenant-{line % 8}")
    return {"v": 1, "tenant": tenant, "at": _AT, "cause": "req_bench", **names}


def _response_id(number: int) -> ResponseId:
    return ResponseId(f"resp_{number:031x}0")


def _conversation_id(line: int) -> ConversationId:
    return ConversationId(f"conv_{line:032x}")
