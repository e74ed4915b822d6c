"""What a turn's events add up to: its state at any of them, and its timeline."""

import re
from contextlib import suppress
from functools import reduce

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response

from turnwire_chassis.event_log import LogUnavailableError, Recorded
from turnwire_chassis.output_log import OutputLog
from turnwire_contracts.json_values import JSON
from turnwire_contracts.react import react
from turnwire_contracts.turn import ImpossibleEventError, evolve
from turnwire_contracts.turn_state import ClosedTurn, NotRequested, Sampling, Screening, Turn
from turnwire_contracts.wire.turn_summary import summary
from turnwire_gateway.api.inspecting.timeline import timeline
from turnwire_gateway.api.inspecting.turn_log import TurnLog, shown
from turnwire_gateway.api.request_context import answered
from turnwire_gateway.api.requests.paging import LARGEST_NUMBER, whole_number
from turnwire_gateway.errors import internal_error

log = structlog.get_logger()

_EVENTS = ("request", "closed", "cancel", "verdict", "last")
"""The fields of states that are whole events."""


class TurnStateHandlers:
    """The routes of a turn's state and timeline."""

    def __init__(self, turn_log: TurnLog, output: OutputLog) -> None:
        self._turn_log = turn_log
        self._output = output

    async def state(self, request: Request) -> Response:
        """`GET /v1/responses/{response_id}/state`."""
        at = whole_number(request.query_params, "at", LARGEST_NUMBER, (0, LARGEST_NUMBER))
        turn, recorded = await self._turn_log.read(request)
        until = [each for each in recorded if each.sequence <= at]
        state = _folded(until)
        return answered(
            {"object": "response.state", "response_id": turn.response_id}
            | state_object(state, until)
        )

    async def timeline(self, request: Request) -> Response:
        """`GET /v1/responses/{response_id}/timeline`."""
        turn, recorded = await self._turn_log.read(request)
        state = _folded(recorded)
        end_kept_at = None
        if isinstance(state, ClosedTurn):
            # Without it all else is told still.
            with suppress(LogUnavailableError):
                end_kept_at = await self._output.end_kept_at(turn)
        return answered(timeline(recorded, _status(state), end_kept_at))


def state_object(state: Turn, recorded: list[Recorded]) -> JSON:
    """Write the state that events add up to."""
    step = None if isinstance(state, NotRequested) else react(state)
    return {
        "sequence": recorded[-1].sequence if recorded else 0,
        "events": len(recorded),
        "state": _name_of(state),
        "summary": summary(state),
        "next": None if step is None else _snake_case(type(step).__name__),
        "data": _data(state),
    }


def _folded(recorded: list[Recorded]) -> Turn:
    first: Turn = NotRequested()
    try:
        return reduce(lambda state, each: evolve(state, each.event), recorded, first)
    except ImpossibleEventError as error:
        log.exception("turn cannot be folded", response_id=recorded[0].event.response_id)
        raise internal_error() from error


def _status(state: Turn) -> str:
    match state:
        case ClosedTurn():
            return state.closed.status
        case Screening() | Sampling() if state.request.background and not state.started:
            return "queued"
        case _:
            return "in_progress"


def _name_of(state: Turn) -> str:
    return "closed" if isinstance(state, ClosedTurn) else _snake_case(type(state).__name__)


def _snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _data(state: Turn) -> JSON:
    fields: JSON = msgspec.json.decode(msgspec.json.encode(state))
    return {
        name: shown(value) if name in _EVENTS and value is not None else value
        for name, value in fields.items()
    }
