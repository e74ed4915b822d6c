"""The states of a turn, and what each of them knows. What leads from one to the next is `evolve`.

NotRequested ── requested ──> Screening | Sampling ── closed ──> ClosedTurn ── purged ──> Erased
"""

from msgspec import Struct, field

from turnwire_contracts.events import (
    CancelRequested,
    Closed,
    Failure,
    Item,
    OutputCheck,
    Purged,
    Requested,
    Screened,
    TurnUsage,
)
from turnwire_contracts.ids import ItemId
from turnwire_contracts.tool_rounds.output_so_far import OutputSoFar


class NotRequested(Struct, frozen=True):
    """Nothing has happened yet."""


class Screening(Struct, frozen=True):
    """The guard must judge the input before anything else."""

    request: Requested
    cancel: CancelRequested | None = None
    started: bool = False


class Sampling(Struct, frozen=True):
    """The model is to be asked."""

    request: Requested
    so_far: OutputSoFar = field(default=OutputSoFar(), name="told")
    """The output of earlier samples."""
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
    usage: TurnUsage | None = None
    output_check: OutputCheck | None = None
    """How the output is to be checked; `None`: the input was not judged."""
    server: str | None = None
    """Which inference server gave the last of these samples."""

    @property
    def is_new(self) -> bool:
        """Whether nothing was done yet, so that the input can still be judged."""
        return self.output_check is None and not (self.so_far.items or self.listed or self.samples)


class RefusedByGuard(Struct, frozen=True):
    """The guard found violations; all that is left is to close."""

    request: Requested
    verdict: Screened


class ClosedTurn(Struct, frozen=True, omit_defaults=True):
    """The turn has ended. Its encoded form is the content of a view."""

    request: Requested
    closed: Closed
    so_far: OutputSoFar = field(default=OutputSoFar(), name="told")
    """The output of earlier samples."""
    deleted: bool = False
    """Deleted, and restorable: only an admin sees it, and later histories leave it out."""
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
        return [*self.so_far.items, *self.closed.output]

    @property
    def said(self) -> list[Item]:
        """The items of `output` that later models are shown: none of lost or withheld samples."""
        if self.closed.withheld:
            return self.so_far.said
        return [item for item in self.output if item.get("id") not in self.so_far.lost]

    @property
    def cuts(self) -> list[list[str]]:
        """Where the deltas of `output` were cut; shorter where no frames were written."""
        return [*self.so_far.cuts, *self.closed.cuts]

    @property
    def instructions(self) -> str | None:
        """The instructions of the turn: its own, or those it inherited."""
        return effective_instructions(self.request, self.closed.instructions)


class Erased(Struct, frozen=True):
    """The turn has ended and its content is gone; only the fact of its end remains."""

    last: Closed | Purged


Turn = NotRequested | Screening | Sampling | RefusedByGuard | ClosedTurn | Erased


def failure_of(turn: object) -> Failure | None:
    """Give what a turn failed with; it is kept even where nothing else of the turn is."""
    match turn:
        case ClosedTurn(closed=closed) | Erased(last=Closed() as closed):
            return closed.failure
        case _:
            return None


def effective_instructions(request: Requested, inherited: str | None) -> str | None:
    """Choose what the model is told: the request's own words, else what was inherited."""
    return inherited if request.instructions is None else request.instructions
