"""How a turn stands, told in one line: what `turnwire replay` and the API show of a state."""

from typing import assert_never

from turnwire_contracts.events import Closed, Purged
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


def summary(turn: Turn) -> str:
    """Tell people in one line how a turn stands."""
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
