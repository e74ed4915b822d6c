"""The views in MongoDB.

Reads use what every server that speaks the protocol does well: equality on `_id`, and bounded
ranges of one index (the embedded server neither pushes limits down nor ranges over `_id`).
Writes are acknowledged from the journal.
"""

import asyncio
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import pymongo
from pymongo import ASCENDING, DESCENDING, AsyncMongoClient, IndexModel, InsertOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError, PyMongoError
from pymongo.write_concern import WriteConcern

from turnwire_contracts.ids import ResponseId
from turnwire_store.documents import (
    READ_FIELDS,
    Document,
    beside,
    place_in,
    to_document,
    to_stored,
)
from turnwire_store.views import Place, Standing, StoredTurn, View, ViewsUnavailableError

DEFAULT_DATABASE = "turnwire"

_FIND_TIMEOUT_S: Final = 1.5
_WRITE_TIMEOUT_S: Final = 30.0
_SELECTION_MS: Final = 2_000
_SERVING_FOR_S: Final = 1.0
_DUPLICATE = 11000
_CHUNK = 64
_SEGMENT_BYTES = 1024 * 1024
_SERVING = "responses"


class MongoGenerations:
    """`Generations` as collections of one database: `responses`, `responses_1`, and so on."""

    def __init__(self, url: str) -> None:
        """Use the database that `url` names; nothing is connected before the first question."""
        self._client: AsyncMongoClient[Document] = AsyncMongoClient(
            url,
            appname="turnwire-store",
            serverSelectionTimeoutMS=_SELECTION_MS,
            connectTimeoutMS=_SELECTION_MS,
        )
        # The URL may ask for a write concern itself; the embedded server's does.
        own = self._client.write_concern
        concern = WriteConcern("majority", j=True) if own.is_server_default else own
        self._database: AsyncDatabase[Document] = self._client.get_default_database(
            DEFAULT_DATABASE, write_concern=concern
        )
        self._serves = self._database["generations"]
        self._views: dict[int, MongoViews] = {}
        self._serving = 0
        self._serving_until = 0.0

    async def reach(self, within_s: float) -> None:
        """See `Generations.reach`."""
        with _within(within_s):
            await self._client.admin.command("ping")

    async def serving(self) -> int:
        """See `Generations.serving`."""
        now = asyncio.get_running_loop().time()
        if now >= self._serving_until:
            self._require_server()
            with _within(_FIND_TIMEOUT_S):
                found = await self._serves.find_one({"_id": _SERVING})
            self._serving = found["serving"] if found else 0
            self._serving_until = now + _SERVING_FOR_S
        return self._serving

    async def serve(self, generation: int) -> None:
        """See `Generations.serve`."""
        first = {"$setOnInsert": {"serving": 0}}
        former = {"_id": _SERVING, "serving": generation - 1}
        with _within(_WRITE_TIMEOUT_S):
            await self._serves.update_one({"_id": _SERVING}, first, upsert=True)
            await self._serves.update_one(former, {"$set": {"serving": generation}})
        self._serving_until = 0.0

    async def prepare(self, generation: int) -> "MongoViews":
        """See `Generations.prepare`."""
        views = self.views(generation)
        await views.declare()
        return views

    def views(self, generation: int) -> "MongoViews":
        """See `Generations.views`."""
        if generation not in self._views:
            self._views[generation] = MongoViews(self._database, generation, self._require_server)
        return self._views[generation]

    async def drop_before(self, generation: int) -> None:
        """See `Generations.drop_before`."""
        with _within(_WRITE_TIMEOUT_S):
            for old in range(generation):
                await self._database["checkpoints"].delete_one({"_id": _name(old)})
                await self._database.drop_collection(_name(old))

    async def close(self) -> None:
        """Let go of all connections."""
        await self._client.close()

    def _require_server(self) -> None:
        # Without this a question would wait for a server that is known to be gone.
        if not self._client.topology_description.has_readable_server():
            raise ViewsUnavailableError("no server is in sight")


class MongoViews:
    """`Views` as one collection, and one checkpoint beside it."""

    def __init__(
        self,
        database: AsyncDatabase[Document],
        generation: int,
        require_server: Callable[[], None],
    ) -> None:
        """Use the collection of `generation`; `require_server` raises if there is no server."""
        self._name = _name(generation)
        self._turns: AsyncCollection[Document] = database[self._name]
        self._checkpoints: AsyncCollection[Document] = database["checkpoints"]
        self._require_server = require_server

    async def declare(self) -> None:
        """Create the index that keeps places unique, and the checkpoint; again changes nothing."""
        keys = [("chain", ASCENDING), ("depth", ASCENDING)]
        start = {"$setOnInsert": {"seq": 0}}
        with _within(_WRITE_TIMEOUT_S):
            await self._turns.create_indexes([IndexModel(keys, name="place", unique=True)])
            await self._checkpoints.update_one({"_id": self._name}, start, upsert=True)

    async def find(self, response_id: ResponseId) -> StoredTurn | None:
        """See `Views.find`."""
        self._require_server()
        with _within(_FIND_TIMEOUT_S):
            found = await self._turns.find_one({"_id": response_id}, READ_FIELDS)
        return to_stored(found) if found else None

    async def segment(self, end: Place, length: int) -> list[StoredTurn]:
        """See `Views.segment`."""
        self._require_server()
        depths = {"$gte": end.depth - length + 1, "$lte": end.depth}
        turns: list[StoredTurn] = []
        size = 0
        with _within(_FIND_TIMEOUT_S):
            async with self._turns.find(
                {"chain": end.chain, "depth": depths},
                READ_FIELDS,
                sort=[("depth", DESCENDING)],
                batch_size=length,
            ) as cursor:
                while size < _SEGMENT_BYTES and (chunk := await cursor.to_list(_CHUNK)):
                    turns += map(to_stored, chunk)
                    size += sum(len(document["turn"]) for document in chunk)
        return turns

    async def standings(self, ids: Collection[ResponseId]) -> Mapping[ResponseId, Standing]:
        """See `Views.standings`."""
        fields = {"seq": 1, "chain": 1, "depth": 1}
        with _within(_WRITE_TIMEOUT_S):
            found = await self._turns.find({"_id": {"$in": list(ids)}}, fields).to_list(None)
            places = [place_in(document) for document in found]
            heirs = await asyncio.gather(*map(self._heir, places))
        return {
            document["_id"]: Standing(document["seq"], place, heir)
            for document, place, heir in zip(found, places, heirs, strict=True)
        }

    async def write(self, views: Sequence[View]) -> None:
        """See `Views.write`."""
        # Small batches are cheap because one journal write covers them: insert, never update.
        with _within(_WRITE_TIMEOUT_S):
            try:
                inserts = [InsertOne(to_document(view)) for view in views]
                await self._turns.bulk_write(inserts, ordered=False)
            except BulkWriteError as error:
                await self._settle([views[index] for index in _refused(error)])

    async def checkpoint(self) -> int:
        """See `Views.checkpoint`."""
        with _within(_WRITE_TIMEOUT_S):
            found = await self._checkpoints.find_one({"_id": self._name})
        return found["seq"] if found else 0

    async def advance(self, sequence: int) -> None:
        """See `Views.advance`."""
        with _within(_WRITE_TIMEOUT_S):
            done = await self._checkpoints.update_one(
                {"_id": self._name}, {"$max": {"seq": sequence}}
            )
        # Written anew, it would claim that the views which went with it are still there.
        if done.matched_count == 0:
            raise ViewsUnavailableError("the checkpoint is gone: the views were dropped")

    async def _heir(self, place: Place) -> ResponseId | None:
        below = {"chain": place.chain, "depth": place.depth + 1}
        found = await self._turns.find_one(below, {"_id": 1})
        return found["_id"] if found else None

    async def _settle(self, refused: Sequence[View]) -> None:
        """Write those of the refused views that are not there already, each on its own chain."""
        # A duplicate may be told of either index whatever its cause, so only `_id` counts.
        ids = [view.response_id for view in refused]
        found = await self._turns.find({"_id": {"$in": ids}}, {"_id": 1}).to_list(None)
        there = {document["_id"] for document in found}
        displaced = [beside(view) for view in refused if view.response_id not in there]
        if displaced:
            inserts = [InsertOne(to_document(view)) for view in displaced]
            await self._turns.bulk_write(inserts, ordered=False)


def _refused(error: BulkWriteError) -> list[int]:
    """List the operations that met a duplicate; raises `error` if anything else went wrong."""
    details: Mapping[str, Any] = error.details
    errors: list[Mapping[str, Any]] = details["writeErrors"]
    if details["writeConcernErrors"] or any(told["code"] != _DUPLICATE for told in errors):
        raise error
    return [told["index"] for told in errors]


def _name(generation: int) -> str:
    return f"responses_{generation}" if generation else "responses"


@contextmanager
def _within(seconds: float) -> Generator[None]:
    try:
        with pymongo.timeout(seconds):
            yield
    except PyMongoError as error:
        raise ViewsUnavailableError(str(error)) from error
