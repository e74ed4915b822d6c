"""The fold: a turn's state from its events. Everything that knows a turn knows it from here.

    Unborn ── requested ──> Screening | Sampling ── closed ──> Closed

What a closed turn holds is also what the store's views keep (`ClosedTurn`).
"""

from functools import reduce
from typing import assert_never

from msgspec import Struct

from turnwire_contracts.events import (
    AnyEvent,
    CancelRequested,
    Closed,
    Item,
    Requested,
    Screened,
    TakenOver,
)


class Unborn(Struct, frozen=True):
    """Nothing has happened yet."""


class Screening(Struct, frozen=True):
    """The guard must judge the input before anything else."""

    request: Requested
    cancel: CancelRequested | None = None


class Sampling(Struct, frozen=True):
    """The model is to be asked."""

    request: Requested
    abandoned: tuple[Item, ...] = ()
    """What clients saw of samples whose orchestrator died."""
    abandoned_cuts: tuple[list[str], ...] = ()
    cancel: CancelRequested | None = None


class Refused(Struct, frozen=True):
    """The guard found violations; all that is left is to close."""

    request: Requested
    verdict: Screened


class ClosedTurn(Struct, frozen=True, omit_defaults=True):
    """The turn has ended. Its encoded form is the content of a view."""

    request: Requested
    closed: Closed
    abandoned: tuple[Item, ...] = ()
    abandoned_cuts: tuple[list[str], ...] = ()

    @property
    def output(self) -> list[Item]:
        """All output items in the order of their `output_index`."""
        return [*self.abandoned, *self.closed.output]

    @property
    def cuts(self) -> list[list[str]]:
        """Where the deltas of `output` were cut; shorter where nobody could have watched."""
        return [*self.abandoned_cuts, *self.closed.cuts]

    @property
    def instructions(self) -> str | None:
        """What the model was told, whoever said it."""
        return effective_instructions(self.request, self.closed.instructions)


class Erased(Struct, frozen=True):
    """The turn has ended and its content is gone; only the fact of its end remains."""

    closed: Closed


Turn = Unborn | Screening | Sampling | Refused | ClosedTurn | Erased


class ImpossibleEventError(Exception):
    """An event that cannot follow what happened before: the log is damaged or mixed up."""


def evolve(turn: Turn, event: AnyEvent) -> Turn:
    """Give the state after `event`.

    Raises `ImpossibleEventError` when the event cannot follow.
    """
    match event:
        case Requested():
            return _requested(turn, event)
        case Screened():
            return _screened(turn, event)
        case TakenOver():
            return _taken_over(turn, event)
        case CancelRequested():
            return _cancel_requested(turn, event)
        case Closed():
            return _closed(turn, event)
        case _:
            assert_never(event)


def fold(events: list[AnyEvent]) -> Turn:
    """Give the state after all `events`, oldest first."""
    return reduce(evolve, events, Unborn())


def effective_instructions(request: Requested, inherited: str | None) -> str | None:
    """Choose what the model is told: the request's own words, else what was inherited."""
    return inherited if request.instructions is None else request.instructions


def _requested(turn: Turn, event: Requested) -> Turn:
    if not isinstance(turn, Unborn):
        raise ImpossibleEventError("a turn is requested once")
    return Screening(event) if event.screen else Sampling(event)


def _screened(turn: Turn, event: Screened) -> Turn:
    if not isinstance(turn, Screening):
        raise ImpossibleEventError("nothing waited for the guard")
    if event.violations:
        return Refused(turn.request, event)
    return Sampling(turn.request, cancel=turn.cancel)


def _taken_over(turn: Turn, event: TakenOver) -> Turn:
    match turn:
        case Sampling():
            return Sampling(
                turn.request,
                (*turn.abandoned, *event.abandoned),
                (*turn.abandoned_cuts, *event.cuts),
                turn.cancel,
            )
        case Screening() | Refused():
            return turn
        case Unborn() | ClosedTurn() | Erased():
            raise ImpossibleEventError("only a turn that runs can be taken over")
        case _:
            assert_never(turn)


def _cancel_requested(turn: Turn, event: CancelRequested) -> Turn:
    match turn:
        case Screening():
            return Screening(turn.request, turn.cancel or event)
        case Sampling():
            cancel = turn.cancel or event
            return Sampling(turn.request, turn.abandoned, turn.abandoned_cuts, cancel)
        case Unborn() | Refused() | ClosedTurn() | Erased():
            # It is appended without an expectation, so it may come too late, or outlive an erasure.
            return turn
        case _:
            assert_never(turn)


def _closed(turn: Turn, event: Closed) -> Turn:
    match turn:
        case Unborn():
            # A turn that is not stored loses every event but its last.
            return Erased(event)
        case Screening() | Refused():
            return ClosedTurn(turn.request, event)
        case Sampling():
            return ClosedTurn(turn.request, event, turn.abandoned, turn.abandoned_cuts)
        case ClosedTurn() | Erased():
            raise ImpossibleEventError("a turn closes once")
        case _:
            assert_never(turn)
