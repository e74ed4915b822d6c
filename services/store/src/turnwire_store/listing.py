"""What lists of responses are read by: a summary of each turn, and keys to find it.

And the ports to where those are kept.

MongoDB is given no content here. A tool's name is told only if it is one: a model may write
anything in its place.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, Protocol

from msgspec import Struct

from turnwire_contracts.events import Item, Requested
from turnwire_contracts.ids import OwnerId, ResponseId, TenantId
from turnwire_contracts.inspecting.response_list import (
    GuardOutcome,
    ResponseFilters,
    ResponseSummary,
)
from turnwire_contracts.turn_state import ClosedTurn

MOST_TOOLS: Final = 32
"""So many names of tools are kept of a turn."""

LONGEST_VALUE: Final = 256
"""Letters: what is longer is no name to look for, and has no key."""

_TOOL_NAME: Final = re.compile(r"[A-Za-z0-9_.:/-]{1,128}")
_CALL: Final = "_call"


class ListedTurn(Struct, frozen=True):
    """What is read of a turn to list it."""

    began: int
    """The place of its request in the log: lists have this order."""
    summary: ResponseSummary
    deleted: bool = False


class RunningTurn(Struct, frozen=True):
    """What is kept about one turn that has not ended."""

    tenant: TenantId
    began: int
    """The place of its request in the log."""
    summary: ResponseSummary


class Window(Struct, frozen=True):
    """A part of the log, both ends included, and the direction in which it is read."""

    first: int
    last: int
    newest_first: bool


class ListedTurns(Protocol):
    """Turns as lists see them. Every method raises `ViewsUnavailableError`."""

    async def within(
        self, window: Window, tenant: TenantId, key: str, limit: int
    ) -> list[ListedTurn]:
        """Give the first `limit` turns with a key of `listing.py` that began in `window`."""
        ...

    async def find(
        self, tenant: TenantId, ids: Collection[ResponseId]
    ) -> Mapping[ResponseId, ListedTurn]:
        """Give turns by their ids; those that lists do not have are left out."""
        ...


class RunningTurns(ListedTurns, Protocol):
    """Turns that have begun and not ended. Every method raises `ViewsUnavailableError`.

    One may stay for a moment when it has ended: who reads asks the log.
    """

    async def write(self, turns: Sequence[RunningTurn]) -> None:
        """Write turns durably; again changes nothing."""
        ...

    async def remove(self, ids: Collection[ResponseId]) -> None:
        """Remove turns; one that is not there is fine."""
        ...


def ended_summary(turn: ClosedTurn) -> ResponseSummary:
    """Tell what a list says of a turn that has ended."""
    request, closed = turn.request, turn.closed
    failure, usage = closed.failure, closed.usage
    return ResponseSummary(
        response_id=request.response_id,
        owner=request.owner,
        status=closed.status,
        model=request.model,
        created_at=request.at,
        closed_at=closed.at,
        parent=request.previous_response_id,
        conversation=request.conversation,
        application=request.application,
        background=request.background,
        tools=_tools(turn.output),
        guard=_guard(turn),
        error_code=failure.code if failure else None,
        incomplete_reason=closed.incomplete_reason,
        input_tokens=usage.input_tokens if usage else None,
        output_tokens=usage.output_tokens if usage else None,
    )


def running_summary(request: Requested, *, started: bool) -> ResponseSummary:
    """Tell what a list says of a turn that runs."""
    return ResponseSummary(
        response_id=request.response_id,
        owner=request.owner,
        status="in_progress" if started or not request.background else "queued",
        model=request.model,
        created_at=request.at,
        parent=request.previous_response_id,
        conversation=request.conversation,
        application=request.application,
        background=request.background,
    )


def keys_of(summary: ResponseSummary) -> list[str]:
    """Name the keys that a turn is found by: each for all users, and for its owner alone.

    What most turns say has none: it is read with all others, and compared.
    """
    facets = ["", *_facets(summary)]
    return [_key(owner, facet) for facet in facets for owner in (None, summary.owner)]


def key_for(owner: OwnerId | None, filters: ResponseFilters) -> str:
    """Choose the key that leaves the fewest turns to compare with `filters`."""
    return _key(owner, next(_asked(filters), ""))


def matches(summary: ResponseSummary, owner: OwnerId | None, filters: ResponseFilters) -> bool:
    """Tell whether a turn is what was asked for."""
    pairs = (
        (filters.status, summary.status),
        (filters.model, summary.model),
        (filters.application, summary.application),
        (filters.conversation, summary.conversation),
        (filters.guard, summary.guard),
        (filters.error_code, summary.error_code),
        (filters.background, summary.background),
        (owner, summary.owner),
    )
    return (
        all(value is None or value == said for value, said in pairs)
        and (filters.tool is None or filters.tool in summary.tools)
        and (filters.created_from is None or filters.created_from <= summary.created_at)
        and (filters.created_to is None or summary.created_at <= filters.created_to)
    )


def _asked(filters: ResponseFilters) -> Iterator[str]:
    """Give the facets that are asked for, the rarest first."""
    if filters.error_code is not None:
        yield f"code:{filters.error_code}"
    if filters.conversation is not None:
        yield f"conversation:{filters.conversation}"
    if filters.tool is not None:
        yield f"tool:{filters.tool}"
    if filters.guard == "blocked":
        yield "blocked"
    if filters.status not in (None, "completed"):
        yield f"status:{filters.status}"
    if filters.application is not None:
        yield f"application:{filters.application}"
    if filters.background:
        yield "background"
    if filters.model is not None:
        yield f"model:{filters.model}"


def _facets(summary: ResponseSummary) -> Iterator[str]:
    said = ResponseFilters(
        status=summary.status,
        model=summary.model,
        application=summary.application,
        conversation=summary.conversation,
        guard=summary.guard,
        error_code=summary.error_code,
        background=summary.background,
    )
    yield from (facet for facet in _asked(said) if len(facet) <= LONGEST_VALUE)
    yield from (f"tool:{tool}" for tool in summary.tools)


def _key(owner: OwnerId | None, facet: str) -> str:
    # The length in front, as either text may have any letter: no two pairs have the same key.
    return f"*:{facet}" if owner is None else f"{len(owner)}:{owner}:{facet}"


def _tools(output: list[Item]) -> list[str]:
    named = (str(item.get("name", item["type"])) for item in output if _is_call(item))
    names = dict.fromkeys(name for name in named if _TOOL_NAME.fullmatch(name))
    return list(names)[:MOST_TOOLS]


def _is_call(item: Item) -> bool:
    return str(item.get("type")).endswith(_CALL)


def _guard(turn: ClosedTurn) -> GuardOutcome:
    if not turn.request.screen:
        return "none"
    return "blocked" if turn.closed.violations or turn.closed.withheld else "passed"
