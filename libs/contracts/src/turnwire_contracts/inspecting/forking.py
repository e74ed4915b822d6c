"""What a fork stands on: a turn as it was at one of its events, and what is said after it. Pure."""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from turnwire_contracts.event_values import ForkPoint
from turnwire_contracts.events import Item
from turnwire_contracts.ids import ResponseId
from turnwire_contracts.tool_rounds.tool_calls import is_waiting, unmade_call
from turnwire_contracts.turn_state import ClosedTurn, RefusedByGuard, Sampling, Screening

NOT_MADE: Final = (
    "The response was forked before this call had ended: it was not made again, and its result is "
    "not known here."
)
"""What a model is told of a call without a result at the event that a fork continues from."""

ForkableTurn = Screening | Sampling | RefusedByGuard | ClosedTurn
"""The states of a turn that has content."""


class ForkBase(Struct, frozen=True):
    """What a fork is asked, beside how it is to be answered."""

    previous_response_id: ResponseId | None
    input: list[Item]
    point: ForkPoint


def fork_base(turn: ForkableTurn, at: int, new: list[Item]) -> ForkBase:
    """Give what a fork stands on that continues `turn`, the fold up to the event `at`, with `new`.

    A turn that had ended is continued as by its id. One that had not is asked once more what it was
    asked, with the rounds of tools that it had behind it: results are kept, and a call without one
    ends as not made (`NOT_MADE`). Samples that clients saw of lost owners are left out, as they are
    for the turn itself.
    """
    request = turn.request
    new = _without_listings(new)
    if isinstance(turn, ClosedTurn):
        point = ForkPoint(request.response_id, at)
        return ForkBase(request.response_id, new, point)
    said = turn.so_far.said if isinstance(turn, Sampling) else []
    rounds = [unmade_call(item, NOT_MADE) if is_waiting(item) else item for item in said]
    own_input = request.input if request.forked_from else _without_listings(request.input)
    going_on = len(request.earlier_rounds) + len(rounds)
    point = ForkPoint(request.response_id, at, 0 if new else going_on)
    return ForkBase(request.previous_response_id, [*own_input, *rounds, *new], point)


def _without_listings(items: Iterable[Item]) -> list[Item]:
    """Take out listings that a client sent: no model sees them, and a fork's must be the log's."""
    return [item for item in items if item["type"] != "mcp_list_tools"]
