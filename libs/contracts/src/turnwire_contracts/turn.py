"""The fold: a turn's state from its events. Everything that knows a turn knows it from here."""

from functools import reduce
from typing import assert_never

from msgspec.structs import replace

from turnwire_contracts.events import (
    AnyEvent,
    CancelRequested,
    Closed,
    Deleted,
    ItemRemoved,
    ItemsAdded,
    Purged,
    Requested,
    Restored,
    Sampled,
    Screened,
    Started,
    TakenOver,
    ToolCalled,
    ToolReturned,
    ToolsListed,
    TurnUpdate,
)
from turnwire_contracts.json_values import JSON
from turnwire_contracts.tool_rounds.output_so_far import OutputSoFar
from turnwire_contracts.tool_rounds.tool_calls import asks_client, summed
from turnwire_contracts.turn_state import (
    ClosedTurn,
    Erased,
    NotRequested,
    RefusedByGuard,
    Sampling,
    Screening,
    Turn,
)


class ImpossibleEventError(Exception):
    """An event that cannot follow what happened before: the log is damaged or mixed up."""


def evolve(turn: Turn, event: AnyEvent) -> Turn:  # noqa: C901, PLR0911 -- one line for each event
    """Give the state after `event`.

    Raises `ImpossibleEventError` when the event cannot follow.
    """
    match event:
        case Requested():
            return _requested(turn, event)
        case Started():
            return _started(turn)
        case ItemsAdded():
            return _items_added(turn, event)
        case Screened():
            return _screened(turn, event)
        case ToolsListed() | Sampled() | ToolCalled() | ToolReturned():
            return _with_tools(turn, event)
        case TakenOver():
            return _taken_over(turn, event)
        case CancelRequested():
            return _cancel_requested(turn, event)
        case Closed():
            return _closed(turn, event)
        case Deleted() | Restored() | ItemRemoved():
            return _changed(turn, event)
        case Purged():
            return Erased(event)
        case _:
            assert_never(event)


def fold(events: list[AnyEvent]) -> Turn:
    """Give the state after all `events`, oldest first."""
    return reduce(evolve, events, NotRequested())


def _requested(turn: Turn, event: Requested) -> Turn:
    if isinstance(turn, Screening | Sampling) and turn.request == event:
        # The same request once more: an operator had it delivered again.
        return turn
    if not isinstance(turn, NotRequested):
        raise ImpossibleEventError("a turn is requested once")
    if event.screen and event.screened is None:
        return Screening(event)
    return Sampling(event, output_check=event.screened)


def _started(turn: Turn) -> Turn:
    if isinstance(turn, Screening | Sampling):
        return replace(turn, started=True)
    raise ImpossibleEventError("only a turn that waits can start")


def _items_added(turn: Turn, event: ItemsAdded) -> Turn:
    if not isinstance(turn, NotRequested):
        raise ImpossibleEventError("items are added once")
    said_of_all = ("v", "tenant", "response_id", "at", "cause")
    about: JSON = {name: getattr(event, name) for name in said_of_all}
    request = Requested(
        **about,
        owner=event.owner,
        model="",
        input=event.input,
        previous_response_id=event.previous_response_id,
        conversation=event.conversation,
    )
    return ClosedTurn(request, Closed(**about, status="completed"))


def _changed(turn: Turn, event: TurnUpdate) -> Turn:
    if not isinstance(turn, ClosedTurn):
        # It is appended without an expectation, so it may outlive an erasure.
        return turn
    match event:
        case Deleted():
            if turn.deleted:
                return turn
            return replace(turn, deleted=True, deleted_with_conversation=event.with_conversation)
        case Restored():
            return replace(turn, deleted=False, deleted_with_conversation=False)
        case ItemRemoved():
            is_removed = event.item_id in turn.removed
            return turn if is_removed else replace(turn, removed=(*turn.removed, event.item_id))
        case _:
            assert_never(event)


def _screened(turn: Turn, event: Screened) -> Turn:
    if not isinstance(turn, Screening) and not (isinstance(turn, Sampling) and turn.is_new):
        raise ImpossibleEventError("nothing waited for the guard")
    if event.violations:
        return RefusedByGuard(turn.request, event)
    so_far = OutputSoFar()
    return Sampling(turn.request, so_far, turn.cancel, turn.started, output_check=event.output)


def _with_tools(turn: Turn, event: ToolsListed | Sampled | ToolCalled | ToolReturned) -> Turn:
    if not isinstance(turn, Sampling):
        raise ImpossibleEventError("only a turn that runs uses tools")
    match event:
        case ToolsListed():
            return replace(turn, so_far=turn.so_far.and_then(event.items, []), listed=True)
        case Sampled():
            return replace(
                turn,
                so_far=turn.so_far.and_then(event.output, event.cuts, event.runs),
                samples=turn.samples + 1,
                asks_client=any(map(asks_client, event.output)),
                usage=summed(turn.usage, event.usage),
                server=event.server,
            )
        case ToolCalled():
            return replace(turn, called=turn.called | {*event.item_ids})
        case ToolReturned():
            return _returned(turn, event)
        case _:
            assert_never(event)


def _returned(turn: Sampling, event: ToolReturned) -> Sampling:
    if all(item.get("id") != event.item_id for item in turn.so_far.waiting):
        raise ImpossibleEventError("a call ends once")
    so_far = turn.so_far.with_end(event)
    return replace(turn, so_far=so_far, called=turn.called - {event.item_id})


def _taken_over(turn: Turn, event: TakenOver) -> Turn:
    match turn:
        case Sampling():
            so_far = turn.so_far.and_lost(event.abandoned, event.cuts, event.runs)
            return replace(turn, so_far=so_far)
        case Screening() | RefusedByGuard():
            return turn
        case NotRequested() | ClosedTurn() | Erased():
            raise ImpossibleEventError("only a turn that runs can be taken over")
        case _:
            assert_never(turn)


def _cancel_requested(turn: Turn, event: CancelRequested) -> Turn:
    match turn:
        case Screening() | Sampling():
            return replace(turn, cancel=turn.cancel or event)
        case NotRequested() | RefusedByGuard() | ClosedTurn() | Erased():
            # It is appended without an expectation, so it may come too late, or outlive an erasure.
            return turn
        case _:
            assert_never(turn)


def _closed(turn: Turn, event: Closed) -> Turn:
    match turn:
        case NotRequested():
            # A turn that is not stored loses every event but its last.
            return Erased(event)
        case Screening() | RefusedByGuard():
            return ClosedTurn(turn.request, event)
        case Sampling():
            return ClosedTurn(turn.request, event, turn.so_far.settled())
        case ClosedTurn() | Erased():
            raise ImpossibleEventError("a turn closes once")
        case _:
            assert_never(turn)
