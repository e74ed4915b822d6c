"""All generations in one database, and which of them serves."""

import asyncio
from typing import Final

from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.write_concern import WriteConcern

from turnwire_store.mongo.documents import Document
from turnwire_store.mongo.sealed import Sealing
from turnwire_store.mongo.timeouts import FIND_TIMEOUT_S, WRITE_TIMEOUT_S, within
from turnwire_store.mongo.turns import MongoViews, conversations_of, turns_of
from turnwire_store.sealing.view_keys import ViewKeys
from turnwire_store.views import ViewsUnavailableError

DEFAULT_DATABASE = "turnwire"

_SELECTION_MS: Final = 2_000
_SERVING_FOR_S: Final = 1.0
_SERVING = "responses"


class MongoGenerations:
    """`Generations` as collections of one database: `responses`, `responses_1`, and so on.

    Beside each stand its `conversations`.
    """

    def __init__(self, url: str, keys: ViewKeys) -> None:
        """Use the database that `url` names; nothing is connected before the first question.

        `keys` seal the content of all documents.
        """
        self._sealing = Sealing(keys)
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
        with within(within_s):
            await self._client.admin.command("ping")

    async def serving(self) -> int:
        """See `Generations.serving`."""
        now = asyncio.get_running_loop().time()
        if now >= self._serving_until:
            self._require_server()
            with within(FIND_TIMEOUT_S):
                found = await self._serves.find_one({"_id": _SERVING})
            self._serving = found["serving"] if found else 0
            self._serving_until = now + _SERVING_FOR_S
        return self._serving

    async def serve(self, generation: int) -> None:
        """See `Generations.serve`."""
        first = {"$setOnInsert": {"serving": 0}}
        former = {"_id": _SERVING, "serving": generation - 1}
        with within(WRITE_TIMEOUT_S):
            await self._serves.update_one({"_id": _SERVING}, first, upsert=True)
            await self._serves.update_one(former, {"$set": {"serving": generation}})
        self._serving_until = 0.0

    async def prepare(self, generation: int) -> MongoViews:
        """See `Generations.prepare`."""
        views = self.views(generation)
        await views.declare()
        if await views.seal_old() and generation == await self.serving():
            # Those before it were written in the clear, too, and nobody reads them.
            await self.drop_before(generation)
        return views

    def views(self, generation: int) -> MongoViews:
        """See `Generations.views`."""
        if generation not in self._views:
            self._views[generation] = MongoViews(
                self._database, generation, self._require_server, self._sealing
            )
        return self._views[generation]

    async def drop_before(self, generation: int) -> None:
        """See `Generations.drop_before`."""
        with within(WRITE_TIMEOUT_S):
            for old in range(generation):
                await self._database["checkpoints"].delete_one({"_id": turns_of(old)})
                await self._database.drop_collection(turns_of(old))
                await self._database.drop_collection(conversations_of(old))

    async def close(self) -> None:
        """Let go of all connections."""
        await self._client.close()

    def _require_server(self) -> None:
        # Without this a question would wait for a server that is known to be gone.
        if not self._client.topology_description.has_readable_server():
            raise ViewsUnavailableError("no server is in sight")
