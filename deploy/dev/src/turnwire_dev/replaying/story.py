"""What a turn's events add up to: after each, the state it is in and what would be done next."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import assert_never

import msgspec

from turnwire_chassis.event_log import Recorded
from turnwire_contracts.events import kind_of
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
from turnwire_dev.replaying.chapter import Chapter
from turnwire_orchestrator.deciding.react import react

_SAID_BY_THE_HEADING = {"v", "tenant", "response_id", "at", "cause"}
_LONGEST_VALUE = 200


def chapters(recorded: list[Recorded]) -> Iterator[Chapter]:
    """Tell a turn event by event. Raises `ImpossibleEventError` when the log is damaged."""
    turn: Turn = Unborn()
    for each in recorded:
        turn = evolve(turn, each.event)
        event = each.event
        when = datetime.fromtimestamp(event.at / 1000, UTC).isoformat(timespec="milliseconds")
        step = react(turn)
        yield Chapter(
            heading=f"#{each.sequence} {kind_of(event)} v{event.v}  {when}  cause {event.cause}",
            facts=_facts(event),
            state=_state(turn),
            next_step=type(step).__name__ if step is not None else "nothing: the turn has ended",
        )


def _facts(event: msgspec.Struct) -> list[str]:
    facts = msgspec.to_builtins(event)
    return [
        f"{name}: {_shortened(msgspec.json.encode(value).decode())}"
        for name, value in facts.items()
        if name not in _SAID_BY_THE_HEADING
    ]


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}… ({len(text)})"


def _state(turn: Turn) -> str:
    match turn:
        case Unborn():
            return "Unborn"
        case Screening() | Refused():
            return type(turn).__name__
        case Sampling():
            cancel = ", to be cancelled" if turn.cancel else ""
            return f"Sampling, {len(turn.abandoned)} abandoned items{cancel}"
        case ClosedTurn():
            frames = f", {len(stream_of(turn))} frames" if turn.request.stream else ""
            return f"Closed: {turn.closed.status}, {len(turn.output)} output items{frames}"
        case Erased():
            return f"Erased: {turn.closed.status}, its content was not to be kept"
        case _:
            assert_never(turn)
