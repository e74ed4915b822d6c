"""What is in a conversation: its items and its turns, and changing them."""

import os
from collections.abc import AsyncIterator

from msgspec import Struct
from msgspec.structs import replace

from turnwire_chassis.event_log import EventLog, LogUnavailableError
from turnwire_contracts.event_kinds import VERSIONS
from turnwire_contracts.events import Item, ItemsAdded
from turnwire_contracts.ids import ItemId, ResponseId, new_response_id
from turnwire_contracts.json_values import JSON
from turnwire_contracts.queries import AskForTree, FoundConversation
from turnwire_contracts.turn import fold
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_gateway.admission.conversation_repository import ConversationRepository
from turnwire_gateway.api.conversation_objects import asked_items, items_in, node_object
from turnwire_gateway.api.requests.paging import Paging, listed, page_of, unknown_after
from turnwire_gateway.api.turn_commands import TurnCommands
from turnwire_gateway.auth.caller import Caller
from turnwire_gateway.errors import no_such_item, not_kept
from turnwire_gateway.store_client import StoreClient

_MOST_NODES = 100


class _Member(Struct, frozen=True):
    """What changing all turns of a conversation needs of each; their content is not kept."""

    deleted: bool
    deleted_with_conversation: bool
    parent: ResponseId | None


class ConversationContents:
    """Reads and changes what is in conversations."""

    def __init__(
        self,
        log: EventLog,
        store: StoreClient,
        repository: ConversationRepository,
        commands: TurnCommands,
    ) -> None:
        self._log = log
        self._store = store
        self._repository = repository
        self._commands = commands

    async def add(
        self, caller: Caller, found: FoundConversation, items: list[Item], origin: tuple[int, str]
    ) -> list[Item]:
        """Put items at the end, and give them with their ids; `origin` is the time and the cause.

        Raises `ApiError` (409) while a turn runs in the conversation, `TooLargeError`.
        """
        now, cause = origin
        made = new_response_id(now, os.urandom(10))
        base = await self._repository.add_turn(caller, found, made, cause)
        added = ItemsAdded(
            v=VERSIONS[ItemsAdded],
            tenant=caller.tenant,
            response_id=made,
            at=now,
            cause=cause,
            owner=found.conversation.owner,
            conversation=found.conversation.conversation_id,
            input=items,
            previous_response_id=base,
        )
        try:
            await self._log.append(added, 0)
        except LogUnavailableError as error:
            raise not_kept(error) from error
        turn = fold([added])
        return asked_items(turn.request) if isinstance(turn, ClosedTurn) else []

    async def page(self, found: FoundConversation, paging: Paging) -> JSON:
        """Give a page of the items.

        Newest first, only as many turns are read as it takes. Raises `ApiError` (400).
        """
        if not paging.newest_first:
            items = [item async for item in self._newest_first(found)]
            return page_of(items[::-1], paging)
        data: list[Item] = []
        skipping = paging.after is not None
        async for item in self._newest_first(found):
            if skipping:
                skipping = item["id"] != paging.after
                continue
            if len(data) == paging.limit:
                return listed(data, has_more=True)
            data.append(item)
        if skipping and paging.after is not None:
            raise unknown_after(paging.after)
        return listed(data, has_more=False)

    async def item(self, found: FoundConversation, item_id: str) -> Item:
        """Give one item; raises `ApiError` (404)."""
        async for item in self._newest_first(found):
            if item["id"] == item_id:
                return item
        raise no_such_item(item_id)

    async def remove(self, found: FoundConversation, item_id: str, cause: str) -> None:
        """Take an item out; raises `ApiError` (404)."""
        async for turn in self._turns(found):
            if any(item["id"] == item_id for item in items_in(turn)):
                tenant, response_id = turn.request.tenant, turn.request.response_id
                await self._commands.remove_item(tenant, response_id, ItemId(item_id), cause)
                return
        raise no_such_item(item_id)

    async def delete(self, found: FoundConversation, cause: str) -> None:
        """Delete all turns that are not deleted yet."""
        tenant = found.conversation.tenant
        for response_id, member in (await self._all_turns(found)).items():
            if not member.deleted:
                await self._commands.delete(tenant, response_id, cause, with_conversation=True)

    async def restore(self, found: FoundConversation, cause: str) -> None:
        """Restore the turns that were deleted with the conversation."""
        tenant = found.conversation.tenant
        for response_id, member in (await self._all_turns(found)).items():
            if member.deleted_with_conversation:
                await self._commands.restore(tenant, response_id, cause)

    async def purge(self, found: FoundConversation, cause: str) -> None:
        """Have all turns erased for ever."""
        tenant = found.conversation.tenant
        for response_id, member in (await self._all_turns(found)).items():
            await self._commands.purge(tenant, response_id, cause, parent=member.parent)

    async def tree(self, question: AskForTree) -> JSON:
        """Give a page of the responses."""
        tree = await self._store.tree(question)
        return listed([node_object(node) for node in tree.nodes], has_more=tree.has_more)

    async def _all_turns(self, found: FoundConversation) -> dict[ResponseId, _Member]:
        """Give all turns, deleted or not, in no order.

        The views may lag a moment behind the log, so the newest turns are read from there.
        """
        tenant, conversation_id = found.conversation.tenant, found.conversation.conversation_id
        members: dict[ResponseId, _Member] = {}
        question = AskForTree(
            tenant, conversation_id, _MOST_NODES, include_deleted=True, everything=True
        )
        more = True
        while more:
            tree = await self._store.tree(question)
            members |= {node.turn.request.response_id: _member(node.turn) for node in tree.nodes}
            more = tree.has_more and bool(tree.nodes)
            if more:
                last = tree.nodes[-1].turn.request.response_id
                question = replace(question, after=last)
        newest = found.conversation.last
        while newest is not None and newest not in members:
            turn = await self._repository.turn(tenant, newest)
            if not isinstance(turn, ClosedTurn):
                break
            members[newest] = _member(turn)
            newest = turn.request.previous_response_id
        return members

    async def _newest_first(self, found: FoundConversation) -> AsyncIterator[Item]:
        seen: set[str] = set()
        async for turn in self._turns(found):
            for item in reversed(items_in(turn)):
                if item["id"] not in seen:
                    seen.add(item["id"])
                    yield item

    async def _turns(self, found: FoundConversation) -> AsyncIterator[ClosedTurn]:
        head = await self._repository.ended_head(found)
        if head is not None:
            async for turn in self._store.history(found.conversation.tenant, head):
                yield turn


def _member(turn: ClosedTurn) -> _Member:
    parent = turn.request.previous_response_id
    return _Member(turn.deleted, turn.deleted_with_conversation, parent)
