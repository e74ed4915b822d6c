"""The port to the views: one document a turn, and how far in the log they are.

A turn has a *place*: a chain and a depth in it. The first child of a turn continues its chain, a
later child starts a chain of its own, so a linear conversation is one range of one chain. Places
are hints that make reading fast: who descends from whom is said by `parent` alone.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from turnwire_contracts.events import Status
from turnwire_contracts.ids import OwnerId, ResponseId, TenantId


class ViewsUnavailableError(Exception):
    """The views could not be read or written; what was written before is there still."""


class Place(Struct, frozen=True):
    """Where a turn stands: the id of its chain's first turn, and how many turns come before it."""

    chain: ResponseId
    depth: int


class Standing(Struct, frozen=True):
    """A turn's place, and which of its children continues the chain, if any does."""

    sequence: int
    """Where the log says that the turn ended."""
    place: Place
    heir: ResponseId | None


class View(Struct, frozen=True):
    """What is written about one turn that has ended; it never changes."""

    response_id: ResponseId
    tenant: TenantId
    owner: OwnerId
    sequence: int
    """The place of its `closed` in the log."""
    status: Status
    model: str
    created_at: int
    """Unix time in milliseconds, as `closed_at`."""
    closed_at: int
    parent: ResponseId | None
    place: Place
    fork: Place | None
    """The parent's place, for a turn that starts a chain beside that of its parent."""
    turn: str
    """`ClosedTurn` as JSON."""


class StoredTurn(Struct, frozen=True):
    """What is read of one turn that has ended."""

    response_id: ResponseId
    tenant: TenantId
    parent: ResponseId | None
    parent_place: Place | None
    """Where the parent probably stands; `None`: look it up by its id."""
    turn: bytes
    """`ClosedTurn` as JSON."""


def parent_place(place: Place, fork: Place | None) -> Place | None:
    """Tell where the parent of the turn at `place` stands, if that can be told."""
    return Place(place.chain, place.depth - 1) if place.depth else fork


def stored(view: View) -> StoredTurn:
    """Give what a reader would find after `view` was written."""
    place = parent_place(view.place, view.fork)
    return StoredTurn(view.response_id, view.tenant, view.parent, place, view.turn.encode())


class Views(Protocol):
    """One generation of views. Every method raises `ViewsUnavailableError`."""

    async def find(self, response_id: ResponseId) -> StoredTurn | None:
        """Give one turn, whosever it is."""
        ...

    async def segment(self, end: Place, length: int) -> list[StoredTurn]:
        """Give at most `length` turns of one chain up to `end`, newest first.

        It may be fewer when they are large; ask again from the next place.
        """
        ...

    async def standings(self, ids: Collection[ResponseId]) -> Mapping[ResponseId, Standing]:
        """Tell where turns stand; those without a view are left out."""
        ...

    async def write(self, views: Sequence[View]) -> None:
        """Write views durably; one whose turn has a view already is left as it is.

        Two turns never share a place: the one that comes second starts a chain of its own.
        """
        ...

    async def checkpoint(self) -> int:
        """Tell the last sequence up to which every turn has its view."""
        ...

    async def advance(self, sequence: int) -> None:
        """Move the checkpoint forward, durably; it never moves back.

        Raises also if the views were dropped, as then they must be written from the beginning.
        """
        ...


class Generations(Protocol):
    """All views; one generation serves, another may be built beside it."""

    async def reach(self, within_s: float) -> None:
        """Ask the database whether it is there; raises `ViewsUnavailableError` if it is not."""
        ...

    async def serving(self) -> int:
        """Tell which generation serves, as of a second ago at most."""
        ...

    async def serve(self, generation: int) -> None:
        """Let `generation` serve if it is the next one, at once and for everybody."""
        ...

    async def prepare(self, generation: int) -> Views:
        """Open a generation to write it; a new one starts empty."""
        ...

    def views(self, generation: int) -> Views:
        """Open a generation to read it."""
        ...

    async def drop_before(self, generation: int) -> None:
        """Remove all generations older than `generation`."""
        ...
