"""The conversations of one generation as a collection."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence

import msgspec
from pymongo import ASCENDING, DESCENDING, IndexModel, ReplaceOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError

from turnwire_contracts.conversation import ConversationState
from turnwire_contracts.ids import ConversationId, OwnerId, TenantId
from turnwire_store.listing import Window
from turnwire_store.mongo.documents import SCHEMA, date_of
from turnwire_store.mongo.server import WRITE_TIMEOUT_S, MongoServer, within
from turnwire_store.mongo.writing import create_missing, opened_all, refused, seal_all, write_all
from turnwire_store.sealing import CONVERSATION, Document, FieldSealing
from turnwire_store.views import ConversationView


class MongoConversationViews:
    """`ConversationViews` as one collection."""

    def __init__(
        self,
        collection: AsyncCollection[Document],
        server: MongoServer,
        sealing: FieldSealing,
    ) -> None:
        """Use a `collection` of the database of `server`."""
        self._sealing = sealing
        self._kept = collection
        self._server = server

    async def declare(self) -> None:
        """Create the indexes that lists are read by; again changes nothing."""
        everybodys = [("tenant", ASCENDING), ("created", ASCENDING)]
        owned = [("tenant", ASCENDING), ("owner", ASCENDING), ("created", ASCENDING)]
        await create_missing(
            self._kept,
            [IndexModel(everybodys, name="everybodys"), IndexModel(owned, name="owned")],
        )

    async def seal_old(self) -> None:
        """Seal what an earlier version wrote in the clear."""
        await seal_all(self._kept, CONVERSATION, self._sealing)

    async def find(
        self, ids: Collection[ConversationId]
    ) -> Mapping[ConversationId, ConversationView]:
        """See `ConversationViews.find`."""
        with self._server.reading():
            found = await self._kept.find({"_id": {"$in": list(ids)}}).to_list(None)
        opened = await self._sealing.opened(found, CONVERSATION)
        return {document["_id"]: to_conversation(document) for document in opened}

    async def created_in(
        self, window: Window, tenant: TenantId, owner: OwnerId | None, limit: int
    ) -> list[ConversationView]:
        """See `ConversationViews.created_in`."""
        in_window: Document = {
            "tenant": tenant,
            "created": {"$gte": window.first, "$lte": window.last},
        }
        if owner is not None:
            in_window["owner"] = owner
        order = [("created", DESCENDING if window.newest_first else ASCENDING)]
        with self._server.reading():
            found = await self._kept.find(in_window, sort=order, limit=limit).to_list(None)
        return list(map(to_conversation, await self._sealing.opened(found, CONVERSATION)))

    async def every(self) -> AsyncIterator[ConversationView]:
        """See `ConversationViews.every`."""
        async for document in opened_all(self._kept, CONVERSATION, self._sealing):
            yield to_conversation(document)

    async def write(self, views: Sequence[ConversationView]) -> None:
        """See `ConversationViews.write`."""
        documents = await self._sealing.sealed(list(map(from_conversation, views)), CONVERSATION)
        with within(WRITE_TIMEOUT_S):
            try:
                await write_all(self._kept, documents, _unless_further)
            except BulkWriteError as error:
                # One that is told further does not match, and cannot be inserted beside itself.
                refused(error)

    async def remove(self, ids: Collection[ConversationId]) -> None:
        """See `ConversationViews.remove`."""
        with within(WRITE_TIMEOUT_S):
            await self._kept.delete_many({"_id": {"$in": list(ids)}})


def _unless_further(document: Document) -> ReplaceOne[Document]:
    former = {"_id": document["_id"], "seq": {"$lt": document["seq"]}}
    return ReplaceOne(former, document, upsert=True)


def from_conversation(view: ConversationView) -> Document:
    """Write a conversation as it is kept."""
    conversation = view.conversation
    return {
        "_id": conversation.conversation_id,
        "tenant": conversation.tenant,
        "owner": conversation.owner,
        "created": view.created,
        "seq": view.sequence,
        "schema": SCHEMA,
        "created_at": date_of(conversation.created_at),
        "updated_at": date_of(conversation.updated_at),
        "deleted": conversation.deleted,
        "conversation": msgspec.json.encode(conversation).decode(),
    }


def to_conversation(document: Document) -> ConversationView:
    """Read a conversation."""
    conversation = msgspec.json.decode(document["conversation"], type=ConversationState)
    return ConversationView(document["created"], document["seq"], conversation)
