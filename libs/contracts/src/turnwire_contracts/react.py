"""What a turn still needs. Pure: recovery is nothing but asking this again."""

from typing import assert_never

from msgspec import Struct

from turnwire_contracts.events import Item, Requested
from turnwire_contracts.tool_rounds.tool_calls import uses_mcp
from turnwire_contracts.turn_state import (
    ClosedTurn,
    Erased,
    NotRequested,
    RefusedByGuard,
    Sampling,
    Screening,
    Turn,
)


class Dequeue(Struct, frozen=True):
    """Say that the turn left the queue."""


class ScreenInput(Struct, frozen=True):
    """Ask the guard whether the input may pass."""

    request: Requested


class ListTools(Struct, frozen=True):
    """Ask MCP servers what they offer."""

    request: Requested


class CallTools(Struct, frozen=True):
    """Have MCP tools called."""

    new: list[Item]
    """Calls that never left."""
    lost: list[Item]
    """Calls that an owner who was lost may have made."""


class Sample(Struct, frozen=True):
    """Ask the model."""

    request: Requested


class ReturnToClient(Struct, frozen=True):
    """Close the turn: beside calls that are made here, the model asked for its client."""


class Refuse(Struct, frozen=True):
    """Close the turn: the guard found violations."""

    violations: list[dict[str, object]]


class CloseCancelled(Struct, frozen=True):
    """Close the turn: it was cancelled."""


class Erase(Struct, frozen=True):
    """Remove the content from the log: the turn has ended and is not stored."""


Step = (
    Dequeue
    | ScreenInput
    | ListTools
    | CallTools
    | Sample
    | ReturnToClient
    | Refuse
    | CloseCancelled
    | Erase
)


def react(turn: Turn) -> Step | None:
    """Give the next step of a turn; `None` when nothing is left to do."""
    match turn:
        case NotRequested() | Erased():
            return None
        case Screening():
            return _cancelled_or_queued(turn) or ScreenInput(turn.request)
        case RefusedByGuard():
            return Refuse(turn.verdict.violations)
        case Sampling():
            return _cancelled_or_queued(turn) or _tools(turn) or Sample(turn.request)
        case ClosedTurn():
            return None if turn.closed.stored else Erase()
        case _:
            assert_never(turn)


def _tools(turn: Sampling) -> Step | None:
    if not turn.listed and uses_mcp(turn.request):
        return ListTools(turn.request)
    waiting = turn.so_far.waiting
    if not waiting:
        return ReturnToClient() if turn.asks_client else None
    lost = [item for item in waiting if item["id"] in turn.called]
    return CallTools([item for item in waiting if item not in lost], lost)


def _cancelled_or_queued(turn: Screening | Sampling) -> Step | None:
    if turn.cancel:
        return CloseCancelled()
    return Dequeue() if turn.request.background and not turn.started else None
