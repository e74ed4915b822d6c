"""The views in memory: the double that tests use; it keeps the port's promises."""

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence

from msgspec.structs import replace

from turnwire_contracts.ids import ConversationId, ItemId, OwnerId, ResponseId, TenantId
from turnwire_store.chain_position import ChainPosition, ChainStatus, parent_place
from turnwire_store.listing import ListedTurn, RunningTurn, Window, keys_of
from turnwire_store.recent_turns import stored
from turnwire_store.views import (
    ApprovalRow,
    ConversationView,
    LineageRow,
    Revisable,
    Revision,
    StoredTurn,
    View,
)


class MemoryConversationViews:
    """`ConversationViews` without durability."""

    def __init__(self) -> None:
        """Start empty."""
        self.written: dict[ConversationId, ConversationView] = {}

    async def find(
        self, ids: Collection[ConversationId]
    ) -> Mapping[ConversationId, ConversationView]:
        """See `ConversationViews.find`."""
        return {one: self.written[one] for one in ids if one in self.written}

    async def created_in(
        self, window: Window, tenant: TenantId, owner: OwnerId | None, limit: int
    ) -> list[ConversationView]:
        """See `ConversationViews.created_in`."""
        found = [
            view
            for view in self.written.values()
            if window.first <= view.created <= window.last
            and view.conversation.tenant == tenant
            and owner in (None, view.conversation.owner)
        ]
        found.sort(key=lambda view: view.created, reverse=window.newest_first)
        return found[:limit]

    async def every(self) -> AsyncIterator[ConversationView]:
        """See `ConversationViews.every`."""
        for view in list(self.written.values()):
            yield view

    async def write(self, views: Sequence[ConversationView]) -> None:
        """See `ConversationViews.write`."""
        for view in views:
            former = self.written.get(view.conversation.conversation_id)
            if former is None or former.sequence < view.sequence:
                self.written[view.conversation.conversation_id] = view

    async def remove(self, ids: Collection[ConversationId]) -> None:
        """See `ConversationViews.remove`."""
        for one in ids:
            self.written.pop(one, None)


class MemoryListedTurns:
    """`ListedTurns` of what a dictionary has."""

    def __init__(self, kept: Mapping[ResponseId, View]) -> None:
        """Read from `kept`."""
        self._kept = kept

    async def within(
        self, window: Window, tenant: TenantId, key: str, limit: int
    ) -> list[ListedTurn]:
        """See `ListedTurns.within`."""
        found = [
            turn
            for turn in self._listed(tenant)
            if key in keys_of(turn.summary) and window.first <= turn.began <= window.last
        ]
        found.sort(key=lambda turn: turn.began, reverse=window.newest_first)
        return found[:limit]

    async def find(
        self, tenant: TenantId, ids: Collection[ResponseId]
    ) -> Mapping[ResponseId, ListedTurn]:
        """See `ListedTurns.find`."""
        listed = {turn.summary.response_id: turn for turn in self._listed(tenant)}
        return {one: listed[one] for one in ids if one in listed}

    def _listed(self, tenant: TenantId) -> list[ListedTurn]:
        return [
            ListedTurn(view.began, view.summary, view.deleted)
            for view in self._kept.values()
            if view.tenant == tenant and view.summary is not None
        ]


class MemoryRunningTurns:
    """`RunningTurns` without durability."""

    def __init__(self) -> None:
        """Start empty."""
        self.written: dict[ResponseId, RunningTurn] = {}

    async def within(
        self, window: Window, tenant: TenantId, key: str, limit: int
    ) -> list[ListedTurn]:
        """See `ListedTurns.within`."""
        found = [
            ListedTurn(turn.began, turn.summary)
            for turn in self.written.values()
            if turn.tenant == tenant
            and key in keys_of(turn.summary)
            and window.first <= turn.began <= window.last
        ]
        found.sort(key=lambda turn: turn.began, reverse=window.newest_first)
        return found[:limit]

    async def find(
        self, tenant: TenantId, ids: Collection[ResponseId]
    ) -> Mapping[ResponseId, ListedTurn]:
        """See `ListedTurns.find`."""
        found = {one: self.written[one] for one in ids if one in self.written}
        return {
            one: ListedTurn(turn.began, turn.summary)
            for one, turn in found.items()
            if turn.tenant == tenant
        }

    async def write(self, turns: Sequence[RunningTurn]) -> None:
        """See `RunningTurns.write`."""
        self.written |= {turn.summary.response_id: turn for turn in turns}

    async def remove(self, ids: Collection[ResponseId]) -> None:
        """See `RunningTurns.remove`."""
        for one in ids:
            self.written.pop(one, None)


class MemoryViews:
    """`Views` without durability."""

    def __init__(self) -> None:
        """Start empty."""
        self.written: dict[ResponseId, View] = {}
        self.conversations = MemoryConversationViews()
        self.listed = MemoryListedTurns(self.written)
        self.running = MemoryRunningTurns()
        self._at: dict[ChainPosition, ResponseId] = {}
        self._checkpoint = 0

    async def has_lists(self) -> bool:
        """See `Views.has_lists`."""
        return True

    async def find(self, response_id: ResponseId) -> StoredTurn | None:
        """See `Views.find`."""
        view = self.written.get(response_id)
        return stored(view) if view else None

    async def segment(self, end: ChainPosition, length: int) -> list[StoredTurn]:
        """See `Views.segment`."""
        return [stored(view) for view in self._segment(end, length)]

    async def lineage_rows(self, ids: Collection[ResponseId]) -> Mapping[ResponseId, LineageRow]:
        """See `Views.lineage_rows`."""
        return {known: _lineage_row(self.written[known]) for known in ids if known in self.written}

    async def lineage_rows_above(self, end: ChainPosition, length: int) -> list[LineageRow]:
        """See `Views.lineage_rows_above`."""
        return [_lineage_row(view) for view in self._segment(end, length)]

    async def lineage_rows_in(
        self, window: Window, tenant: TenantId, conversation: ConversationId, limit: int
    ) -> list[LineageRow]:
        """See `Views.lineage_rows_in`."""
        found = [
            _lineage_row(view)
            for view in self.written.values()
            if (view.tenant, view.conversation) == (tenant, conversation)
            and window.first <= view.sequence <= window.last
        ]
        found.sort(key=lambda row: row.sequence, reverse=window.newest_first)
        return found[:limit]

    async def asking(
        self, window: Window, tenant: TenantId, owner: OwnerId, limit: int
    ) -> list[ApprovalRow]:
        """See `Views.asking`."""
        found = [
            ApprovalRow(view.response_id, view.sequence, view.asks)
            for view in self.written.values()
            if view.asks
            and (view.tenant, view.owner) == (tenant, owner)
            and window.first <= view.sequence <= window.last
        ]
        found.sort(key=lambda row: row.sequence, reverse=window.newest_first)
        return found[:limit]

    async def answered(self, asks: Collection[ItemId]) -> frozenset[ItemId]:
        """See `Views.answered`."""
        answers = {each for view in self.written.values() for each in view.answers}
        return frozenset(answers.intersection(asks))

    async def existing(self, ids: Collection[ResponseId]) -> Collection[ResponseId]:
        """See `Views.existing`."""
        return {one for one in ids if one in self.written}

    async def chain_statuses(self, ids: Collection[ResponseId]) -> Mapping[ResponseId, ChainStatus]:
        """See `Views.chain_statuses`."""
        return {known: self._chain_status(known) for known in ids if known in self.written}

    async def every(self) -> AsyncIterator[View]:
        """See `Views.every`."""
        for view in list(self.written.values()):
            yield view

    async def write(self, views: Sequence[View]) -> None:
        """See `Views.write`."""
        for view in views:
            if view.response_id in self.written:
                continue
            own = ChainPosition(view.response_id, 0)
            taken = view.place in self._at
            kept = replace(view, place=own, fork=None) if taken else view
            self.written[view.response_id] = kept
            self._at[kept.place] = view.response_id

    async def revisable(self, ids: Collection[ResponseId]) -> Mapping[ResponseId, Revisable]:
        """See `Views.revisable`."""
        return {known: _revisable(self.written[known]) for known in ids if known in self.written}

    async def revise(self, revisions: Sequence[Revision]) -> None:
        """See `Views.revise`."""
        for revision in revisions:
            view = self.written.get(revision.response_id)
            if view is not None and view.revised == revision.former:
                self.written[revision.response_id] = replace(
                    view, turn=revision.turn, deleted=revision.deleted, revised=revision.sequence
                )

    async def remove(self, ids: Collection[ResponseId]) -> None:
        """See `Views.remove`."""
        for one in ids:
            view = self.written.pop(one, None)
            if view is not None:
                del self._at[view.place]

    async def checkpoint(self) -> int:
        """See `Views.checkpoint`."""
        return self._checkpoint

    async def advance(self, sequence: int) -> None:
        """See `Views.advance`."""
        self._checkpoint = max(self._checkpoint, sequence)

    def _segment(self, end: ChainPosition, length: int) -> Iterable[View]:
        for depth in range(end.depth, max(-1, end.depth - length), -1):
            found = self._at.get(ChainPosition(end.chain, depth))
            if found is not None:
                yield self.written[found]

    def _chain_status(self, response_id: ResponseId) -> ChainStatus:
        view = self.written[response_id]
        successor = self._at.get(ChainPosition(view.place.chain, view.place.depth + 1))
        return ChainStatus(view.sequence, view.place, successor, view.conversation, view.owner)


class MemoryGenerations:
    """`Generations` inside one process."""

    def __init__(self) -> None:
        """Start with one empty generation that serves."""
        self._serving = 0
        self._views: dict[int, MemoryViews] = defaultdict(MemoryViews)

    async def reach(self, within_s: float) -> None:
        """See `Generations.reach`."""

    async def serving(self) -> int:
        """See `Generations.serving`."""
        return self._serving

    async def serve(self, generation: int) -> None:
        """See `Generations.serve`."""
        if generation == self._serving + 1:
            self._serving = generation

    async def prepare(self, generation: int) -> MemoryViews:
        """See `Generations.prepare`."""
        return self._views[generation]

    def views(self, generation: int) -> MemoryViews:
        """See `Generations.views`."""
        return self._views[generation]

    async def drop(self, generation: int) -> None:
        """See `Generations.drop`."""
        self._views.pop(generation, None)

    async def drop_before(self, generation: int) -> None:
        """See `Generations.drop_before`."""
        for old in [number for number in self._views if number < generation]:
            del self._views[old]


def _lineage_row(view: View) -> LineageRow:
    return LineageRow(
        view.response_id,
        view.sequence,
        view.parent,
        parent_place(view.place, view.fork),
        view.conversation,
        is_response=bool(view.model),
    )


def _revisable(view: View) -> Revisable:
    sequence = view.sequence if view.revised is None else view.revised
    return Revisable(sequence, view.revised, view.turn.encode())
