"""What a turn's events add up to: after each, the state it is in and what would be done next."""

from collections.abc import Callable, Iterable, Iterator
from typing import assert_never

from turnwire_cli.replaying.event_view import EventView, PlacedEvent, facts_of
from turnwire_contracts.conversation_events import ConversationEvent
from turnwire_contracts.events import Closed, Purged
from turnwire_contracts.turn import evolve
from turnwire_contracts.turn_state import (
    ClosedTurn,
    Erased,
    NotRequested,
    RefusedByGuard,
    Sampling,
    Screening,
    Turn,
)
from turnwire_contracts.wire.stream import stream_of


def event_views(
    recorded: Iterable[PlacedEvent], next_step: Callable[[Turn], str]
) -> Iterator[EventView]:
    """Give a view of each event of a turn among `recorded`; `next_step`: what would follow.

    Raises `ImpossibleEventError` for a damaged log.
    """
    turn: Turn = NotRequested()
    for each in recorded:
        if isinstance(each.event, ConversationEvent):
            continue
        turn = evolve(turn, each.event)
        yield EventView(
            sequence=each.sequence,
            event=each.event,
            facts=facts_of(each.event, "response_id"),
            state=described(turn),
            next_step=next_step(turn),
        )


def untold(turn: Turn) -> str:
    """Say nothing of what would follow: only a service knows."""
    del turn
    return ""


def described(turn: Turn) -> str:
    """Say in a line how a turn stands."""
    match turn:
        case NotRequested():
            return "NotRequested: what came before is not in the log"
        case RefusedByGuard():
            return "Refused"
        case Screening():
            return f"Screening{_on_its_way(turn)}"
        case Sampling():
            return f"Sampling, {_output_so_far(turn)}{_on_its_way(turn)}"
        case ClosedTurn():
            return _closed(turn)
        case Erased():
            return _erased(turn.last)
        case _:
            assert_never(turn)


def _output_so_far(turn: Sampling) -> str:
    output = turn.so_far
    if not turn.samples and not turn.listed:
        return f"{len(output.lost)} abandoned items"
    waiting = f"{len(output.waiting)} calls waiting ({len(turn.called)} of them made)"
    return f"{len(output.items)} items told, {len(output.lost)} of them abandoned, {waiting}"


def _on_its_way(turn: Screening | Sampling) -> str:
    queued = ", queued in the background" if turn.request.background and not turn.started else ""
    return queued + (", to be cancelled" if turn.cancel else "")


def _closed(turn: ClosedTurn) -> str:
    frames = f", {len(stream_of(turn))} frames" if turn.request.watched else ""
    removed = f", {len(turn.removed)} items removed" if turn.removed else ""
    if turn.is_response:
        state = f"Closed: {turn.closed.status}, {len(turn.output)} output items{frames}"
    else:
        state = f"Closed: {len(turn.request.input)} items put into a conversation"
    return state + removed + _put_away(turn)


def _put_away(turn: ClosedTurn) -> str:
    if not turn.deleted:
        return ""
    return ", deleted" + (" with its conversation" if turn.deleted_with_conversation else "")


def _erased(last: Closed | Purged) -> str:
    match last:
        case Closed():
            return f"Erased: {last.status}, its content was not to be kept"
        case Purged():
            return "Erased: purged, its content is gone for ever"
        case _:
            assert_never(last)
