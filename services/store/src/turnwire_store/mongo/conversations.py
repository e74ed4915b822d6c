"""The conversations of one generation as a collection."""

from collections.abc import Callable, Collection, Mapping, Sequence

from pymongo import ASCENDING, DESCENDING, IndexModel, ReplaceOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError

from turnwire_contracts.ids import ConversationId, OwnerId, TenantId
from turnwire_store.mongo.documents import Document, from_conversation, to_conversation
from turnwire_store.mongo.duplicates import refused
from turnwire_store.mongo.sealed import CONVERSATION, Sealing, seal_all
from turnwire_store.mongo.timeouts import FIND_TIMEOUT_S, WRITE_TIMEOUT_S, within
from turnwire_store.views import ConversationView, Window


class MongoConversationViews:
    """`ConversationViews` as one collection."""

    def __init__(
        self,
        collection: AsyncCollection[Document],
        require_server: Callable[[], None],
        sealing: Sealing,
    ) -> None:
        """Use a collection; `require_server` raises if there is no server."""
        self._sealing = sealing
        self._kept = collection
        self._require_server = require_server

    async def declare(self) -> None:
        """Create the indexes that lists are read by; again changes nothing."""
        everybodys = [("tenant", ASCENDING), ("created", ASCENDING)]
        owned = [("tenant", ASCENDING), ("owner", ASCENDING), ("created", ASCENDING)]
        with within(WRITE_TIMEOUT_S):
            await self._kept.create_indexes(
                [IndexModel(everybodys, name="everybodys"), IndexModel(owned, name="owned")]
            )

    async def seal_old(self) -> None:
        """Seal what an earlier version wrote in the clear."""
        await seal_all(self._kept, CONVERSATION, self._sealing)

    async def find(
        self, ids: Collection[ConversationId]
    ) -> Mapping[ConversationId, ConversationView]:
        """See `ConversationViews.find`."""
        self._require_server()
        with within(FIND_TIMEOUT_S):
            found = await self._kept.find({"_id": {"$in": list(ids)}}).to_list(None)
        opened = await self._sealing.opened(found, CONVERSATION)
        return {document["_id"]: to_conversation(document) for document in opened}

    async def created_in(
        self, window: Window, tenant: TenantId, owner: OwnerId | None, limit: int
    ) -> list[ConversationView]:
        """See `ConversationViews.created_in`."""
        self._require_server()
        wanted: Document = {
            "tenant": tenant,
            "created": {"$gte": window.first, "$lte": window.last},
        }
        if owner is not None:
            wanted["owner"] = owner
        order = [("created", DESCENDING if window.newest_first else ASCENDING)]
        with within(FIND_TIMEOUT_S):
            found = await self._kept.find(wanted, sort=order, limit=limit).to_list(None)
        return list(map(to_conversation, await self._sealing.opened(found, CONVERSATION)))

    async def write(self, views: Sequence[ConversationView]) -> None:
        """See `ConversationViews.write`."""
        documents = await self._sealing.sealed(list(map(from_conversation, views)), CONVERSATION)
        replacements = [
            ReplaceOne({"_id": one["_id"], "seq": {"$lt": one["seq"]}}, one, upsert=True)
            for one in documents
        ]
        with within(WRITE_TIMEOUT_S):
            try:
                await self._kept.bulk_write(replacements, ordered=False)
            except BulkWriteError as error:
                # One that is told further does not match, and cannot be inserted beside itself.
                refused(error)

    async def remove(self, ids: Collection[ConversationId]) -> None:
        """See `ConversationViews.remove`."""
        with within(WRITE_TIMEOUT_S):
            await self._kept.delete_many({"_id": {"$in": list(ids)}})
