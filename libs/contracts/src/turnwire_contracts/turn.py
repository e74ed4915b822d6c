"""The fold: a turn's state from its events. Everything that knows a turn knows it from here.

    Unborn ── requested ──> Screening | Sampling ── closed ──> ClosedTurn ── purged ──> Erased

What a closed turn holds is also what the store's views keep (`ClosedTurn`).
"""

from functools import reduce
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from turnwire_contracts.events import (
    AnyEvent,
    CancelRequested,
    Closed,
    Deleted,
    Item,
    ItemRemoved,
    ItemsAdded,
    OutputCheck,
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
    Usage,
)
from turnwire_contracts.ids import ItemId
from turnwire_contracts.json_values import JSON
from turnwire_contracts.rounds.told import Told
from turnwire_contracts.rounds.tool_calls import asks_client, summed


class Unborn(Struct, frozen=True):
    """Nothing has happened yet."""


class Screening(Struct, frozen=True):
    """The guard must judge the input before anything else."""

    request: Requested
    cancel: CancelRequested | None = None
    started: bool = False


class Sampling(Struct, frozen=True):
    """The model is to be asked."""

    request: Requested
    told: Told = Told()
    cancel: CancelRequested | None = None
    started: bool = False
    """Whether it left the queue; only background turns say so."""
    listed: bool = False
    """Whether it is known what MCP servers offer."""
    called: frozenset[ItemId] = frozenset()
    """Calls that left, whose end is not known."""
    samples: int = 0
    """How often the model asked for tools that are run here."""
    asks_client: bool = False
    """Whether the last of these samples needs its client, too: the turn closes after the round."""
    usage: Usage | None = None
    output_check: OutputCheck | None = None
    """How the output is to be checked; `None`: nobody has judged the input."""

    @property
    def is_new(self) -> bool:
        """Whether nothing was done yet, so that the input can still be judged."""
        return self.output_check is None and not (self.told.items or self.listed or self.samples)


class Refused(Struct, frozen=True):
    """The guard found violations; all that is left is to close."""

    request: Requested
    verdict: Screened


class ClosedTurn(Struct, frozen=True, omit_defaults=True):
    """The turn has ended. Its encoded form is the content of a view."""

    request: Requested
    closed: Closed
    told: Told = Told()
    deleted: bool = False
    """Put away: nobody but an admin may see it, and later histories leave it out."""
    deleted_with_conversation: bool = False
    removed: tuple[ItemId, ...] = ()
    """Items that later turns do not know of."""

    @property
    def is_response(self) -> bool:
        """Whether a model was asked; items put into a conversation are no response."""
        return bool(self.request.model)

    @property
    def output(self) -> list[Item]:
        """All output items in the order of their `output_index`."""
        return [*self.told.items, *self.closed.output]

    @property
    def said(self) -> list[Item]:
        """The output that later models are shown."""
        if self.closed.withheld:
            return self.told.said
        return [item for item in self.output if item.get("id") not in self.told.lost]

    @property
    def cuts(self) -> list[list[str]]:
        """Where the deltas of `output` were cut; shorter where nobody could have watched."""
        return [*self.told.cuts, *self.closed.cuts]

    @property
    def instructions(self) -> str | None:
        """What the model was told, whoever said it."""
        return effective_instructions(self.request, self.closed.instructions)


class Erased(Struct, frozen=True):
    """The turn has ended and its content is gone; only the fact of its end remains."""

    last: Closed | Purged


Turn = Unborn | Screening | Sampling | Refused | ClosedTurn | Erased


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
    return reduce(evolve, events, Unborn())


def effective_instructions(request: Requested, inherited: str | None) -> str | None:
    """Choose what the model is told: the request's own words, else what was inherited."""
    return inherited if request.instructions is None else request.instructions


def _requested(turn: Turn, event: Requested) -> Turn:
    if not isinstance(turn, Unborn):
        raise ImpossibleEventError("a turn is requested once")
    if event.screen and event.screened is None:
        return Screening(event)
    return Sampling(event, output_check=event.screened)


def _started(turn: Turn) -> Turn:
    if isinstance(turn, Screening | Sampling):
        return replace(turn, started=True)
    raise ImpossibleEventError("only a turn that waits can start")


def _items_added(turn: Turn, event: ItemsAdded) -> Turn:
    if not isinstance(turn, Unborn):
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


def _changed(turn: Turn, event: Deleted | Restored | ItemRemoved) -> Turn:
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
            known = event.item_id in turn.removed
            return turn if known else replace(turn, removed=(*turn.removed, event.item_id))
        case _:
            assert_never(event)


def _screened(turn: Turn, event: Screened) -> Turn:
    if not isinstance(turn, Screening) and not (isinstance(turn, Sampling) and turn.is_new):
        raise ImpossibleEventError("nothing waited for the guard")
    if event.violations:
        return Refused(turn.request, event)
    return Sampling(turn.request, Told(), turn.cancel, turn.started, output_check=event.output)


def _with_tools(turn: Turn, event: ToolsListed | Sampled | ToolCalled | ToolReturned) -> Turn:
    if not isinstance(turn, Sampling):
        raise ImpossibleEventError("only a turn that runs uses tools")
    match event:
        case ToolsListed():
            return replace(turn, told=turn.told.and_then(event.items, []), listed=True)
        case Sampled():
            return replace(
                turn,
                told=turn.told.and_then(event.output, event.cuts, event.runs),
                samples=turn.samples + 1,
                asks_client=any(map(asks_client, event.output)),
                usage=summed(turn.usage, event.usage),
            )
        case ToolCalled():
            return replace(turn, called=turn.called | {*event.item_ids})
        case ToolReturned():
            return _returned(turn, event)
        case _:
            assert_never(event)


def _returned(turn: Sampling, event: ToolReturned) -> Sampling:
    if all(item.get("id") != event.item_id for item in turn.told.waiting):
        raise ImpossibleEventError("a call ends once")
    told = turn.told.with_end(event)
    return replace(turn, told=told, called=turn.called - {event.item_id})


def _taken_over(turn: Turn, event: TakenOver) -> Turn:
    match turn:
        case Sampling():
            told = turn.told.and_lost(event.abandoned, event.cuts, event.runs)
            return replace(turn, told=told)
        case Screening() | Refused():
            return turn
        case Unborn() | ClosedTurn() | Erased():
            raise ImpossibleEventError("only a turn that runs can be taken over")
        case _:
            assert_never(turn)


def _cancel_requested(turn: Turn, event: CancelRequested) -> Turn:
    match turn:
        case Screening() | Sampling():
            return replace(turn, cancel=turn.cancel or event)
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
            return ClosedTurn(turn.request, event, turn.told.settled())
        case ClosedTurn() | Erased():
            raise ImpossibleEventError("a turn closes once")
        case _:
            assert_never(turn)
