"""What lists of responses are read from: documents of turns, in the order of their requests."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from pymongo import ASCENDING, DESCENDING, IndexModel, ReplaceOne
from pymongo.asynchronous.collection import AsyncCollection

from turnwire_contracts.ids import ResponseId, TenantId
from turnwire_store.listing import ListedTurn, RunningTurn, Window
from turnwire_store.mongo.documents import LISTED_FIELDS, beside_summary, listed_fields, summary_in
from turnwire_store.mongo.server import WRITE_TIMEOUT_S, MongoServer, within
from turnwire_store.mongo.writing import create_missing, write_all
from turnwire_store.sealing import Document

LISTED: Final = IndexModel(
    [("tenant", ASCENDING), ("keys", ASCENDING), ("began", ASCENDING)], name="listed"
)
"""One index for every filter: a document has several keys."""


class MongoListedTurns:
    """The documents of one collection, as lists see them."""

    def __init__(self, collection: AsyncCollection[Document], server: MongoServer) -> None:
        """Use a `collection` of the database of `server`."""
        self._kept = collection
        self._server = server

    async def within(
        self, window: Window, tenant: TenantId, key: str, limit: int
    ) -> list[ListedTurn]:
        """See `ListedTurns.within`."""
        matching: Document = {
            "tenant": tenant,
            "keys": key,
            "began": {"$gte": window.first, "$lte": window.last},
        }
        order = [("began", DESCENDING if window.newest_first else ASCENDING)]
        with self._server.reading():
            found = await self._kept.find(matching, LISTED_FIELDS, sort=order, limit=limit).to_list(
                None
            )
        return [turn for each in found if (turn := _listed(each)) is not None]

    async def find(
        self, tenant: TenantId, ids: Collection[ResponseId]
    ) -> Mapping[ResponseId, ListedTurn]:
        """See `ListedTurns.find`."""
        with self._server.reading():
            found = await self._kept.find({"_id": {"$in": list(ids)}}, LISTED_FIELDS).to_list(None)
        listed = {each["_id"]: _listed(each) for each in found if each["tenant"] == tenant}
        return {response_id: turn for response_id, turn in listed.items() if turn is not None}


class MongoRunningTurns(MongoListedTurns):
    """`RunningTurns` as one collection, which is small."""

    def __init__(self, collection: AsyncCollection[Document], server: MongoServer) -> None:
        """See `MongoListedTurns`."""
        super().__init__(collection, server)
        self._collection = collection

    async def declare(self) -> None:
        """Create the index; again changes nothing."""
        await create_missing(self._collection, [LISTED])

    async def write(self, turns: Sequence[RunningTurn]) -> None:
        """See `RunningTurns.write`."""
        documents = [
            {
                "tenant": turn.tenant,
                **beside_summary(turn.summary),
                **listed_fields(turn.began, turn.summary),
            }
            for turn in turns
        ]
        with within(WRITE_TIMEOUT_S):
            await write_all(self._collection, documents, _again)

    async def remove(self, ids: Collection[ResponseId]) -> None:
        """See `RunningTurns.remove`."""
        with within(WRITE_TIMEOUT_S):
            await self._collection.delete_many({"_id": {"$in": list(ids)}})


def _again(document: Document) -> ReplaceOne[Document]:
    return ReplaceOne({"_id": document["_id"]}, document, upsert=True)


def _listed(document: Document) -> ListedTurn | None:
    summary = summary_in(document)
    if summary is None:
        return None
    return ListedTurn(document["began"], summary, document.get("deleted", False))
