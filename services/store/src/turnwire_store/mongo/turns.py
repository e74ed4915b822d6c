"""The turns of one generation as a collection, and the checkpoint beside it."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence

from pymongo import ASCENDING, DESCENDING, IndexModel, InsertOne, UpdateOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError

from turnwire_contracts.ids import ConversationId, ItemId, OwnerId, ResponseId, TenantId
from turnwire_store.chain_position import ChainPosition, ChainStatus
from turnwire_store.listing import Window
from turnwire_store.mongo.conversations import MongoConversationViews
from turnwire_store.mongo.documents import (
    APPROVAL_FIELDS,
    CHAIN_FIELDS,
    LINEAGE_FIELDS,
    READ_FIELDS,
    REVISABLE_FIELDS,
    asking_key,
    beside,
    branch,
    place_in,
    to_chain_status,
    to_document,
    to_lineage_row,
    to_revisable,
    to_stored,
    to_view,
)
from turnwire_store.mongo.listed_turns import LISTED, MongoListedTurns, MongoRunningTurns
from turnwire_store.mongo.server import WRITE_TIMEOUT_S, MongoServer, within
from turnwire_store.mongo.writing import create_missing, opened_all, refused, seal_all, write_all
from turnwire_store.sealing import TURN, Document, FieldSealing
from turnwire_store.views import (
    ApprovalRow,
    LineageRow,
    Revisable,
    Revision,
    StoredTurn,
    View,
    ViewsUnavailableError,
)

_CHUNK = 64
_SEGMENT_BYTES = 1024 * 1024


def turns_of(generation: int) -> str:
    """Name the collection of a generation's turns, and its checkpoint."""
    return f"responses_{generation}" if generation else "responses"


def conversations_of(generation: int) -> str:
    """Name the collection of a generation's conversations."""
    return f"conversations_{generation}" if generation else "conversations"


def running_of(generation: int) -> str:
    """Name the collection of a generation's turns that have not ended."""
    return f"running_{generation}" if generation else "running"


class MongoViews:
    """`Views` as three collections, and one checkpoint beside them."""

    def __init__(self, server: MongoServer, generation: int, sealing: FieldSealing) -> None:
        """Use the collections of `generation`."""
        database = server.database
        self._server = server
        self._sealing = sealing
        self._name = turns_of(generation)
        self._turns: AsyncCollection[Document] = database[self._name]
        self._checkpoints: AsyncCollection[Document] = database["checkpoints"]
        self.conversations = MongoConversationViews(
            database[conversations_of(generation)], server, sealing
        )
        self.listed = MongoListedTurns(self._turns, server)
        self.running = MongoRunningTurns(database[running_of(generation)], server)
        self._has_lists = False

    async def declare(self) -> None:
        """Create the indexes, and the checkpoint; again changes nothing."""
        place = [("chain", ASCENDING), ("depth", ASCENDING)]
        indexes = [
            IndexModel(place, name="place", unique=True),
            IndexModel([("branch", ASCENDING)], name="branch", sparse=True),
            IndexModel([("asking", ASCENDING)], name="asking", sparse=True),
            IndexModel([("answers", ASCENDING)], name="answers", sparse=True),
            LISTED,
        ]
        start = {"$setOnInsert": {"seq": 0, "sealed": True, "listed": True}}
        await create_missing(self._turns, indexes)
        await self.conversations.declare()
        await self.running.declare()
        with within(WRITE_TIMEOUT_S):
            await self._checkpoints.update_one({"_id": self._name}, start, upsert=True)

    async def seal_old(self) -> bool:
        """Seal what an earlier version wrote in the clear; tells whether there can have been any.

        Done again after a break it goes on where it was.
        """
        with within(WRITE_TIMEOUT_S):
            if await self._checkpoints.find_one({"_id": self._name, "sealed": True}):
                return False
        await seal_all(self._turns, TURN, self._sealing)
        await self.conversations.seal_old()
        with within(WRITE_TIMEOUT_S):
            done = {"$set": {"sealed": True}}
            await self._checkpoints.update_one({"_id": self._name}, done)
        return True

    async def has_lists(self) -> bool:
        """See `Views.has_lists`."""
        if not self._has_lists:
            with self._server.reading():
                found = await self._checkpoints.find_one({"_id": self._name})
            self._has_lists = found is not None and found.get("listed", False)
        return self._has_lists

    async def find(self, response_id: ResponseId) -> StoredTurn | None:
        """See `Views.find`."""
        with self._server.reading():
            found = await self._turns.find_one({"_id": response_id}, READ_FIELDS)
        opened = await self._sealing.opened([found] if found else [], TURN)
        return to_stored(opened[0]) if opened else None

    async def segment(self, end: ChainPosition, length: int) -> list[StoredTurn]:
        """See `Views.segment`."""
        turns: list[StoredTurn] = []
        size = 0
        with self._server.reading():
            async with self._turns.find(
                _segment(end, length),
                READ_FIELDS,
                sort=[("depth", DESCENDING)],
                batch_size=length,
            ) as cursor:
                while size < _SEGMENT_BYTES and (chunk := await cursor.to_list(_CHUNK)):
                    turns += map(to_stored, await self._sealing.opened(chunk, TURN))
                    size += sum(len(document["turn"]) for document in chunk)
        return turns

    async def lineage_rows(self, ids: Collection[ResponseId]) -> Mapping[ResponseId, LineageRow]:
        """See `Views.lineage_rows`."""
        with self._server.reading():
            found = await self._turns.find(_among(ids), LINEAGE_FIELDS).to_list(None)
        return {document["_id"]: to_lineage_row(document) for document in found}

    async def lineage_rows_above(self, end: ChainPosition, length: int) -> list[LineageRow]:
        """See `Views.lineage_rows_above`."""
        order = [("depth", DESCENDING)]
        with self._server.reading():
            found = await self._turns.find(
                _segment(end, length), LINEAGE_FIELDS, sort=order
            ).to_list(None)
        return list(map(to_lineage_row, found))

    async def lineage_rows_in(
        self, window: Window, tenant: TenantId, conversation: ConversationId, limit: int
    ) -> list[LineageRow]:
        """See `Views.lineage_rows_in`."""
        first = branch(tenant, conversation, window.first)
        in_window = {"branch": {"$gte": first, "$lte": branch(tenant, conversation, window.last)}}
        order = [("branch", DESCENDING if window.newest_first else ASCENDING)]
        with self._server.reading():
            found = await self._turns.find(
                in_window, LINEAGE_FIELDS, sort=order, limit=limit
            ).to_list(None)
        return list(map(to_lineage_row, found))

    async def asking(
        self, window: Window, tenant: TenantId, owner: OwnerId, limit: int
    ) -> list[ApprovalRow]:
        """See `Views.asking`."""
        first, last = (asking_key(tenant, owner, each) for each in (window.first, window.last))
        order = [("asking", DESCENDING if window.newest_first else ASCENDING)]
        with self._server.reading():
            found = await self._turns.find(
                {"asking": {"$gte": first, "$lte": last}}, APPROVAL_FIELDS, sort=order, limit=limit
            ).to_list(None)
        return [ApprovalRow(each["_id"], each["seq"], tuple(each["asks"])) for each in found]

    async def answered(self, asks: Collection[ItemId]) -> frozenset[ItemId]:
        """See `Views.answered`."""
        answering = {"answers": {"$in": list(asks)}}
        with self._server.reading():
            found = await self._turns.find(answering, {"answers": 1}).to_list(None)
        return frozenset(each for document in found for each in document["answers"])

    async def existing(self, ids: Collection[ResponseId]) -> Collection[ResponseId]:
        """See `Views.existing`."""
        with within(WRITE_TIMEOUT_S):
            return await self._existing(ids)

    async def chain_statuses(self, ids: Collection[ResponseId]) -> Mapping[ResponseId, ChainStatus]:
        """See `Views.chain_statuses`."""
        with within(WRITE_TIMEOUT_S):
            found = await self._turns.find(_among(ids), CHAIN_FIELDS).to_list(None)
            successors = await asyncio.gather(
                *(self._successor(place_in(document)) for document in found)
            )
        return {
            document["_id"]: to_chain_status(document, successor)
            for document, successor in zip(found, successors, strict=True)
        }

    async def every(self) -> AsyncIterator[View]:
        """See `Views.every`."""
        async for document in opened_all(self._turns, TURN, self._sealing):
            yield to_view(document)

    async def write(self, views: Sequence[View]) -> None:
        """See `Views.write`."""
        # Small batches are cheap because one journal write covers them: insert, never update.
        with within(WRITE_TIMEOUT_S):
            try:
                await self._insert(views)
            except BulkWriteError as error:
                await self._settle([views[index] for index in refused(error)])

    async def revisable(self, ids: Collection[ResponseId]) -> Mapping[ResponseId, Revisable]:
        """See `Views.revisable`."""
        with within(WRITE_TIMEOUT_S):
            found = await self._turns.find(_among(ids), REVISABLE_FIELDS).to_list(None)
        opened = await self._sealing.opened(found, TURN)
        return {document["_id"]: to_revisable(document) for document in opened}

    async def revise(self, revisions: Sequence[Revision]) -> None:
        """See `Views.revise`."""
        turns = [
            {"_id": each.response_id, "tenant": each.tenant, "turn": each.turn}
            for each in revisions
        ]
        sealed = await self._sealing.sealed(turns, TURN)
        updates = [_update(each, to["turn"]) for each, to in zip(revisions, sealed, strict=True)]
        with within(WRITE_TIMEOUT_S):
            await self._turns.bulk_write(updates, ordered=False)

    async def remove(self, ids: Collection[ResponseId]) -> None:
        """See `Views.remove`."""
        with within(WRITE_TIMEOUT_S):
            await self._turns.delete_many(_among(ids))

    async def checkpoint(self) -> int:
        """See `Views.checkpoint`."""
        with self._server.reading():
            found = await self._checkpoints.find_one({"_id": self._name})
        return found["seq"] if found else 0

    async def advance(self, sequence: int) -> None:
        """See `Views.advance`."""
        with within(WRITE_TIMEOUT_S):
            done = await self._checkpoints.update_one(
                {"_id": self._name}, {"$max": {"seq": sequence}}
            )
        # Written anew, it would claim that the views which went with it are still there.
        if done.matched_count == 0:
            raise ViewsUnavailableError("the checkpoint is gone: the views were dropped")

    async def _successor(self, place: ChainPosition) -> ResponseId | None:
        below = {"chain": place.chain, "depth": place.depth + 1}
        found = await self._turns.find_one(below, {"_id": 1})
        return found["_id"] if found else None

    async def _settle(self, refused_views: Sequence[View]) -> None:
        """Write those of the refused views that are not there already, each on its own chain."""
        # A duplicate may be told of either index whatever its cause, so only `_id` counts.
        there = await self._existing([view.response_id for view in refused_views])
        displaced = [beside(view) for view in refused_views if view.response_id not in there]
        if displaced:
            await self._insert(displaced)

    async def _existing(self, ids: Collection[ResponseId]) -> set[ResponseId]:
        found = await self._turns.find(_among(ids), {"_id": 1}).to_list(None)
        return {document["_id"] for document in found}

    async def _insert(self, views: Sequence[View]) -> None:
        documents = await self._sealing.sealed(list(map(to_document, views)), TURN)
        await write_all(self._turns, documents, InsertOne)


def _among(ids: Collection[ResponseId]) -> Document:
    return {"_id": {"$in": list(ids)}}


def _segment(end: ChainPosition, length: int) -> Document:
    return {"chain": end.chain, "depth": {"$gte": end.depth - length + 1, "$lte": end.depth}}


def _update(revision: Revision, turn: bytes) -> UpdateOne:
    becomes: Document = {"$set": {"turn": turn, "revised": revision.sequence}}
    if revision.deleted:
        becomes["$set"]["deleted"] = True
    else:
        becomes["$unset"] = {"deleted": ""}
    # `None` matches a field that is not there.
    return UpdateOne({"_id": revision.response_id, "revised": revision.former}, becomes)
