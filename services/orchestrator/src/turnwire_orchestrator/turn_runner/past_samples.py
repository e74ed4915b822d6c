"""The samples of a turn, found again in its log. Pure."""

from collections.abc import Iterable, Iterator
from typing import TypeGuard

from msgspec import Struct

from turnwire_chassis.event_log import Recorded
from turnwire_contracts.event_values import SampleRecord
from turnwire_contracts.events import AnyEvent, Closed, Requested, Sampled
from turnwire_contracts.react import Sample, react
from turnwire_contracts.tool_rounds.output_so_far import OutputSoFar
from turnwire_contracts.turn import evolve
from turnwire_contracts.turn_state import NotRequested, Sampling, Turn


class SampleOfTurn(Struct, frozen=True):
    """One sample of a turn, as the log tells it."""

    request: Requested
    so_far: OutputSoFar
    """The output before it."""
    is_over: bool
    instructions: str | None = None
    """What the model was told, where the client did not say it in this very request."""
    record: SampleRecord | None = None


def samples_of(recorded: Iterable[Recorded]) -> Iterator[SampleOfTurn]:
    """Give the samples of a turn, oldest first; the last may run. Raises `ImpossibleEventError`."""
    turn: Turn = NotRequested()
    for each in recorded:
        event = each.event
        if isinstance(turn, Sampling) and _ends_sample(event):
            yield SampleOfTurn(
                turn.request,
                turn.so_far,
                is_over=True,
                instructions=event.instructions,
                record=event.sample,
            )
        turn = evolve(turn, event)
    if isinstance(turn, Sampling) and isinstance(react(turn), Sample):
        yield SampleOfTurn(turn.request, turn.so_far, is_over=False)


def _ends_sample(event: AnyEvent) -> TypeGuard[Sampled | Closed]:
    """Tell whether a sample ended; of those without a record, one that said something did."""
    return isinstance(event, Sampled) or (
        isinstance(event, Closed) and (event.sample is not None or bool(event.output))
    )
