"""What the model is sent: the items of all turns a response descends from, then the new ones.

A turn's own items are encoded once; a history is the chain of such pieces, shared by all branches.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import orjson

from turnwire_contracts.events import Failure, Item, Requested
from turnwire_contracts.ids import OwnerId, ResponseId
from turnwire_contracts.tool_rounds.pairing import (
    NOTHING,
    PrecedingCalls,
    cancelled,
    is_answer,
    is_call,
    left_open,
    may_be_answered,
    paired,
    unpaired,
)
from turnwire_contracts.turn_state import ClosedTurn, effective_instructions
from turnwire_contracts.wire.items import named_items
from turnwire_orchestrator.prompting.cleaning import (
    cleaned,
    denied,
    is_in_namespace,
    is_plain,
    shown,
)

_REMEMBERED = frozenset({"mcp_list_tools", "mcp_approval_request"})
_APPROVED = "approval_request_id"
_ANSWER = "mcp_approval_response"


class HistoryTurn(msgspec.Struct, frozen=True):
    """One turn that has ended, and through `parent` all before it."""

    response_id: ResponseId
    parent: "HistoryTurn | None"
    encoded: bytes
    """Its items as JSON, joined by commas, ready for a backend."""
    ids: frozenset[str]
    """The ids by which a client may repeat its items."""
    calls: frozenset[str]
    """The `call_id`s of its calls that wait, which later turns may answer."""
    answered: frozenset[str]
    """The `call_id`s of calls that were answered in it."""
    instructions: str | None
    owner: OwnerId
    """Who made it, and alone may continue it by its id."""
    remembered: tuple[Item, ...] = ()
    """What MCP servers offered, the approvals that were asked for, and which calls were approved:
    no model sees them."""
    unanswered: tuple[Item, ...] = ()
    """For each of its calls that have no answer yet, the answer that it was cancelled."""
    plain: bool = True
    """Whether every known backend takes all of its items."""
    namespaces: bool = False
    """Whether calls of tools in namespaces are among them."""
    was_cancelled: bool = False
    """Its client may have lost the connection, and send the same again."""
    oldest: int | None = None
    """When the first turn among them was made whose time ends, in Unix milliseconds."""
    server: str | None = None
    """Which inference server answered it: that one may still hold the prompt in its cache."""

    def lineage(self) -> Iterator["HistoryTurn"]:
        """Walk from this turn to the first."""
        turn: HistoryTurn | None = self
        while turn is not None:
            yield turn
            turn = turn.parent


class PromptContext(msgspec.Struct, frozen=True):
    """What a turn stands on; it never changes while the turn runs."""

    history: HistoryTurn | None
    """The turn that it continues."""
    instructions: str | None
    """What the model is told; `None`: nothing."""


def past_of(turn: ClosedTurn, parent: HistoryTurn | None) -> HistoryTurn:
    """Give what later turns need of one that has ended.

    What was abandoned when an owner was lost is not sent to a model again, nor what was taken out
    of its conversation, nor an answer to a call that went that way: backends refuse it.
    """
    given = named_items(turn.request)
    ids = {item["id"] for item in (*given, *turn.output) if item.get("id")} - {*turn.removed}
    new_input = [
        item
        for item, named in zip(turn.request.input, given, strict=True)
        if named["id"] not in turn.removed
    ]
    said = [item for item in turn.said if item.get("id") not in turn.removed]
    kept = {id(item) for item in new_input}
    rounds = sum(id(item) in kept for item in turn.request.earlier_rounds)
    input_items = told_input(new_input, rounds, parent, goes_on=bool(said))
    items = shown_items([*input_items, *said])
    waiting = left_open(items)
    return HistoryTurn(
        turn.request.response_id,
        parent,
        orjson.dumps(items)[1:-1],
        frozenset(ids),
        frozenset(item["call_id"] for item in waiting),
        frozenset(item["call_id"] for item in items if is_answer(item)),
        turn.instructions,
        turn.request.owner,
        tuple(map(_kept, filter(_is_remembered, [*turn.request.from_log, *turn.said]))),
        tuple(map(cancelled, filter(is_call, waiting))),
        all(map(is_plain, items)),
        any(map(is_in_namespace, items)),
        turn.closed.status == "cancelled",
        _oldest(turn.request, parent),
        turn.closed.server,
    )


def told_input(
    items: list[Item], rounds: int, past: HistoryTurn | None, *, goes_on: bool
) -> list[Item]:
    """Give the input of a turn as a model is told it: without repeats, each answer behind its call.

    The last `rounds` items are rounds of tools of a turn that it was forked from, which follow what
    was asked as they did there; a call of its client's that was open there is told as cancelled.
    """
    cut = len(items) - rounds
    own_input = answering_approvals(without_repeats(items[:cut], past), past)
    input_items = paired(own_input, earlier_of(past), goes_on=goes_on or rounds > 0)
    return [*input_items, *paired(items[cut:], goes_on=goes_on)] if rounds else input_items


def _oldest(request: Requested, parent: HistoryTurn | None) -> int | None:
    """What is in a conversation has no end."""
    oldest = parent.oldest if parent else None
    if request.conversation is not None:
        return oldest
    return request.at if oldest is None else min(oldest, request.at)


def earlier_of(past: HistoryTurn | None) -> PrecedingCalls:
    """Tell of calls, by their ids, whether they wait; the newest call of an id counts."""
    if past is None:
        return NOTHING

    def is_open(call_id: str) -> bool:
        for turn in past.lineage():
            if call_id in turn.calls or call_id in turn.answered:
                return call_id in turn.calls
        return False

    def is_answered(call_id: str) -> bool:
        return any(call_id in turn.answered for turn in past.lineage())

    return PrecedingCalls(is_open, is_answered, past.unanswered)


def mistake_in_pairs(request: Requested, past: HistoryTurn | None) -> Failure | None:
    """Find an answer without a call or before it, a second one, or answers to half of the calls."""
    # Rounds that a fork goes on with come from the log, and wait for no answer.
    items = without_repeats(request.own_input, past)
    kept = {id(item) for item in items}
    places = [place for place, item in enumerate(request.input) if id(item) in kept]
    return unpaired(items, earlier_of(past), places)


def _is_remembered(item: Item) -> bool:
    return item["type"] in _REMEMBERED or bool(item["type"] == "mcp_call" and item.get(_APPROVED))


def _kept(item: Item) -> Item:
    """Give what is remembered of an item: of a call not its result, which may be long."""
    if item["type"] != "mcp_call":
        return item
    return {name: item[name] for name in ("type", "id", _APPROVED)}


def encode_items(items: list[Item]) -> bytes:
    """Write items as JSON joined by commas, without the brackets."""
    return orjson.dumps(shown_items(items))[1:-1]


def shown_items(items: list[Item]) -> list[Item]:
    """Give items as a backend gets them."""
    return [item for each in items for item in shown(each)]


def remembered(past: HistoryTurn | None, kind: str) -> Iterator[Item]:
    """Give the items of a kind that no model sees, newest first."""
    for turn in past.lineage() if past else ():
        yield from (item for item in reversed(turn.remembered) if item["type"] == kind)


def answering_approvals(items: list[Item], past: HistoryTurn | None) -> list[Item]:
    """Put what a denied call says to the model in the place of the answer that denied it.

    Approved calls are made, and stand in the output with their results.
    """
    if not any(item["type"] == _ANSWER for item in items):
        return items
    approval_requests = {item["id"]: item for item in remembered(past, "mcp_approval_request")}
    approval_requests |= {
        item["id"]: item for item in items if item["type"] == "mcp_approval_request"
    }
    answered: list[Item] = []
    for item in items:
        request = approval_requests.get(item.get("approval_request_id"))
        if item["type"] != _ANSWER:
            answered.append(item)
        elif request is not None and not item.get("approve"):
            answered += denied(request, item.get("reason"))
    return answered


def encode_input(past: HistoryTurn | None, new: bytes) -> bytes:
    """Write the whole `input` of a backend request: the history, then `new`."""
    pieces = [new, *(turn.encoded for turn in past.lineage())] if past else [new]
    return b"[" + b",".join(piece for piece in reversed(pieces) if piece) + b"]"


def instructions_for(
    request: Requested, past: HistoryTurn | None, default: str | None, *, inherit: bool
) -> str | None:
    """Choose the instructions of a turn.

    The request's own, else those of the previous response where they are inherited, else the
    default. An empty text clears: the model is told nothing, and later turns inherit that.
    """
    inherited = past.instructions if past is not None and inherit else None
    return effective_instructions(request, default if inherited is None else inherited)


def unknown_reference(request: Requested, past: HistoryTurn | None) -> str | None:
    """Name an item that the input refers to and the history does not have, if there is one.

    References to what it has are repeats and fall away; others were resolved when they came in.
    """
    references = [item["id"] for item in request.input if item.get("type") == "item_reference"]
    if not references:
        return None
    ids = frozenset[str]().union(*(turn.ids for turn in past.lineage())) if past else ()
    return next((item_id for item_id in references if item_id not in ids), None)


def without_repeats(items: list[Item], past: HistoryTurn | None) -> list[Item]:
    """Drop new items that the history has already.

    A client may send everything again *and* name the previous response (LangGraph does). What has
    an id that the history knows is dropped; so is what stands before it and equals a known item,
    and the output of a call that is repeated and has one. So are the outputs of a turn that was
    cancelled, when they come again.
    """
    if past is not None and past.was_cancelled and any(map(is_answer, items)):
        earlier = _as_said(orjson.loads(b"[" + past.encoded + b"]"))
        items = [item for item in items if not (is_answer(item) and _is_said(item, earlier))]
    if past is None or not any("id" in item for item in items):
        return items
    ids = frozenset[str]().union(*(turn.ids for turn in past.lineage()))
    repeated = [index for index, item in enumerate(items) if item.get("id") in ids]
    if not repeated:
        return items
    last = repeated[-1]
    said = _as_said(_decoded(past))
    answered = _answered_again([items[index] for index in repeated], past)
    return [
        item
        for index, item in enumerate(items)
        if item.get("id") not in ids
        and not (index < last and _is_said(item, said))
        and not (is_answer(item) and item["call_id"] in answered)
    ]


def _answered_again(repeated: list[Item], past: HistoryTurn) -> set[str]:
    """Name the calls among repeated items whose outputs the history has, too."""
    earlier = earlier_of(past)
    calls = {item["call_id"] for item in repeated if may_be_answered(item)}
    return {each for each in calls if earlier.is_answered(each) and not earlier.is_open(each)}


def _decoded(past: HistoryTurn) -> Iterator[dict[str, Any]]:
    for turn in past.lineage():
        yield from orjson.loads(b"[" + turn.encoded + b"]")


def _as_said(items: Iterable[Item]) -> set[bytes]:
    return {orjson.dumps(item, option=orjson.OPT_SORT_KEYS) for item in items}


def _is_said(item: Item, said: set[bytes]) -> bool:
    clean = cleaned(item)
    return clean is not None and orjson.dumps(clean, option=orjson.OPT_SORT_KEYS) in said
