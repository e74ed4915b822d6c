"""What a turn's events add up to: after each, the state it is in and what would be done next."""

from collections.abc import Iterable, Iterator
from typing import assert_never

from turnwire_chassis.event_log import Recorded
from turnwire_contracts.events import Closed, Purged, kind_of
from turnwire_contracts.turn import (
    ClosedTurn,
    Erased,
    Refused,
    Sampling,
    Screening,
    Turn,
    Unborn,
    evolve,
)
from turnwire_contracts.wire.stream import stream_of
from turnwire_dev.replaying.chapter import Chapter, facts_of, heading_of
from turnwire_orchestrator.deciding.react import react


def chapters(recorded: Iterable[Recorded]) -> Iterator[Chapter]:
    """Tell a turn event by event. Raises `ImpossibleEventError` when the log is damaged."""
    turn: Turn = Unborn()
    for each in recorded:
        turn = evolve(turn, each.event)
        yield Chapter(
            heading=heading_of(each.sequence, kind_of(each.event), each.event),
            facts=facts_of(each.event, "response_id"),
            state=_state(turn),
            next_step=_next_step(turn),
        )


def _next_step(turn: Turn) -> str:
    if isinstance(turn, Unborn):
        return "nothing: there is no turn"
    step = react(turn)
    return "nothing: the turn has ended" if step is None else type(step).__name__


def _state(turn: Turn) -> str:
    match turn:
        case Unborn():
            return "Unborn: what came before is not in the log"
        case Refused():
            return "Refused"
        case Screening():
            return f"Screening{_on_its_way(turn)}"
        case Sampling():
            return f"Sampling, {_told(turn)}{_on_its_way(turn)}"
        case ClosedTurn():
            return _closed(turn)
        case Erased():
            return _erased(turn.last)
        case _:
            assert_never(turn)


def _told(turn: Sampling) -> str:
    told = turn.told
    if not turn.samples and not turn.listed:
        return f"{len(told.lost)} abandoned items"
    waiting = f"{len(told.waiting)} calls waiting ({len(turn.called)} of them made)"
    return f"{len(told.items)} items told, {len(told.lost)} of them abandoned, {waiting}"


def _on_its_way(turn: Screening | Sampling) -> str:
    queued = ", queued in the background" if turn.request.background and not turn.started else ""
    return queued + (", to be cancelled" if turn.cancel else "")


def _closed(turn: ClosedTurn) -> str:
    frames = f", {len(stream_of(turn))} frames" if turn.request.watched else ""
    removed = f", {len(turn.removed)} items removed" if turn.removed else ""
    if turn.is_response:
        told = f"Closed: {turn.closed.status}, {len(turn.output)} output items{frames}"
    else:
        told = f"Closed: {len(turn.request.input)} items put into a conversation"
    return told + removed + _put_away(turn)


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
