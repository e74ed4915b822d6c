"""The port to the views: one document a turn, one a conversation, and how far in the log they are.

A turn has a *place*: a chain and a depth in it. The first child of a turn continues its chain, a
later child starts a chain of its own, so a linear conversation is one range of one chain. Places
are hints that make reading fast: who descends from whom is said by `parent` alone.

A turn belongs to a conversation if it was made in it, or branches off from a turn that does. One
that names another user's turn as its parent descends from nothing: it was refused, or ended before.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from turnwire_contracts.conversation import ConversationState, evolve_conversation
from turnwire_contracts.conversation_events import AnyConversationEvent
from turnwire_contracts.events import Status
from turnwire_contracts.ids import ConversationId, ItemId, OwnerId, ResponseId, TenantId
from turnwire_contracts.inspecting.response_list import ResponseSummary
from turnwire_store.chain_position import ChainPosition, ChainStatus
from turnwire_store.listing import ListedTurns, RunningTurns, Window


class ViewsUnavailableError(Exception):
    """The views could not be read or written; what was written before is there still."""


class View(Struct, frozen=True):
    """What is kept about one turn that has ended."""

    response_id: ResponseId
    tenant: TenantId
    owner: OwnerId
    sequence: int
    """The place of its `closed` (or `items_added`) in the log."""
    status: Status
    model: str
    created_at: int
    """Unix time in milliseconds, as `closed_at`."""
    closed_at: int
    parent: ResponseId | None
    place: ChainPosition
    fork: ChainPosition | None
    """The parent's place, for a turn that starts a chain beside that of its parent."""
    turn: str
    """`ClosedTurn` as JSON."""
    conversation: ConversationId | None = None
    deleted: bool = False
    revised: int | None = None
    """The place in the log of what last changed it, if anything has since it ended."""
    asks: tuple[ItemId, ...] = ()
    """Its requests for approval."""
    answers: tuple[ItemId, ...] = ()
    """The requests for approval that it answers."""
    began: int = 0
    """The place of its request in the log."""
    summary: ResponseSummary | None = None
    """What lists say of it; `None`: it is in none, as no model was asked."""


class Revisable(Struct, frozen=True):
    """A turn as it is kept, to be changed."""

    sequence: int
    """The place in the log of what made it so."""
    revised: int | None
    turn: bytes


class Revision(Struct, frozen=True):
    """What a kept turn becomes."""

    response_id: ResponseId
    tenant: TenantId
    former: int | None
    """Its `revised` so far; a turn that says otherwise is left as it is."""
    sequence: int
    deleted: bool
    turn: str


class StoredTurn(Struct, frozen=True):
    """What is read of one turn that has ended."""

    response_id: ResponseId
    tenant: TenantId
    parent: ResponseId | None
    parent_place: ChainPosition | None
    """Where the parent probably stands; `None`: look it up by its id."""
    turn: bytes
    """`ClosedTurn` as JSON; nothing, of a turn that is gone for ever."""
    deleted: bool = False
    created_at: int = 0
    """Unix time in milliseconds."""


class LineageRow(Struct, frozen=True):
    """What is read of a turn to tell whom it descends from."""

    response_id: ResponseId
    sequence: int
    parent: ResponseId | None
    parent_place: ChainPosition | None
    conversation: ConversationId | None
    is_response: bool


class ApprovalRow(Struct, frozen=True):
    """What is read of a turn that asked for approvals."""

    response_id: ResponseId
    sequence: int
    asks: tuple[ItemId, ...]


class ConversationView(Struct, frozen=True):
    """What is kept about one conversation."""

    created: int
    """The place in the log where it began."""
    sequence: int
    """The place in the log up to which it is told."""
    conversation: ConversationState


def follow(
    view: ConversationView | None, sequence: int, event: AnyConversationEvent | None
) -> ConversationView | None:
    """Tell a conversation further by one event; an event that has no effect only moves its end.

    Raises `ImpossibleEventError`.
    """
    state = None if view is None else view.conversation
    if event is not None:
        state = evolve_conversation(state, event)
    if state is None:
        return None
    return ConversationView(sequence if view is None else view.created, sequence, state)


class ConversationViews(Protocol):
    """The conversations of one generation. Every method raises `ViewsUnavailableError`."""

    async def find(
        self, ids: Collection[ConversationId]
    ) -> Mapping[ConversationId, ConversationView]:
        """Give conversations of any tenant; those without a view are left out."""
        ...

    async def created_in(
        self, window: Window, tenant: TenantId, owner: OwnerId | None, limit: int
    ) -> list[ConversationView]:
        """Give the first `limit` conversations that began in `window`; no owner: of all."""
        ...

    def every(self) -> AsyncIterator[ConversationView]:
        """Give all conversations, in any order; what changes meanwhile may come as either."""
        ...

    async def write(self, views: Sequence[ConversationView]) -> None:
        """Write views durably; one that is told further already is left as it is."""
        ...

    async def remove(self, ids: Collection[ConversationId]) -> None:
        """Remove views; one that is gone is fine."""
        ...


class Views(Protocol):
    """One generation of views. Every method raises `ViewsUnavailableError`."""

    @property
    def listed(self) -> ListedTurns:
        """The turns that have ended, as lists see them."""
        ...

    @property
    def running(self) -> RunningTurns:
        """The turns that have not ended."""
        ...

    async def has_lists(self) -> bool:
        """Tell whether all turns can be listed; those of an earlier version cannot."""
        ...

    @property
    def conversations(self) -> ConversationViews:
        """The conversations beside the turns."""
        ...

    async def find(self, response_id: ResponseId) -> StoredTurn | None:
        """Give one turn of any tenant."""
        ...

    async def segment(self, end: ChainPosition, length: int) -> list[StoredTurn]:
        """Give at most `length` turns of one chain up to `end`, newest first.

        It may be fewer when they are large; ask again from the next place.
        """
        ...

    async def lineage_rows(self, ids: Collection[ResponseId]) -> Mapping[ResponseId, LineageRow]:
        """Give turns without their content; those without a view are left out."""
        ...

    async def lineage_rows_above(self, end: ChainPosition, length: int) -> list[LineageRow]:
        """Give at most `length` turns of one chain up to `end`, newest first."""
        ...

    async def lineage_rows_in(
        self, window: Window, tenant: TenantId, conversation: ConversationId, limit: int
    ) -> list[LineageRow]:
        """Give the first `limit` turns of one conversation that ended in `window`."""
        ...

    async def asking(
        self, window: Window, tenant: TenantId, owner: OwnerId, limit: int
    ) -> list[ApprovalRow]:
        """Give the first `limit` turns of a user that ended in `window` and asked for approvals."""
        ...

    async def answered(self, asks: Collection[ItemId]) -> frozenset[ItemId]:
        """Tell which of these requests for approval a turn has answered."""
        ...

    async def existing(self, ids: Collection[ResponseId]) -> Collection[ResponseId]:
        """Tell which of these turns have a view."""
        ...

    async def chain_statuses(self, ids: Collection[ResponseId]) -> Mapping[ResponseId, ChainStatus]:
        """Tell where turns stand; those without a view are left out."""
        ...

    def every(self) -> AsyncIterator[View]:
        """Give all turns, in any order; what changes meanwhile may come as either."""
        ...

    async def write(self, views: Sequence[View]) -> None:
        """Write views durably; one whose turn has a view already is left as it is.

        Two turns never share a place: the one that comes second starts a chain of its own.
        """
        ...

    async def revisable(self, ids: Collection[ResponseId]) -> Mapping[ResponseId, Revisable]:
        """Give turns as they are kept; those without a view are left out."""
        ...

    async def revise(self, revisions: Sequence[Revision]) -> None:
        """Change turns durably; one that was changed or removed meanwhile is left as it is."""
        ...

    async def remove(self, ids: Collection[ResponseId]) -> None:
        """Remove views durably; one that is gone is fine."""
        ...

    async def checkpoint(self) -> int:
        """Tell the last sequence up to which the views say everything."""
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
        """Let `generation` serve if it is the next one, at once and in all processes."""
        ...

    async def prepare(self, generation: int) -> Views:
        """Open a generation to write it; a new one starts empty."""
        ...

    def views(self, generation: int) -> Views:
        """Open a generation to read it."""
        ...

    async def drop(self, generation: int) -> None:
        """Remove one generation, which must not serve; one that is gone is fine."""
        ...

    async def drop_before(self, generation: int) -> None:
        """Remove all generations older than `generation`."""
        ...
