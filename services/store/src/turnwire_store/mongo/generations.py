"""All generations in one database, and which of them serves."""

import asyncio
from typing import Final

from turnwire_store.mongo.dropping import drop
from turnwire_store.mongo.server import WRITE_TIMEOUT_S, MongoServer, within
from turnwire_store.mongo.turns import MongoViews, conversations_of, running_of, turns_of
from turnwire_store.sealing import FieldSealing, ViewKeys

_SERVING_FOR_S: Final = 1.0
_SERVING = "responses"


class MongoGenerations:
    """`Generations` as collections of one database: `responses`, `responses_1`, and so on.

    Beside each stand its `conversations` and its turns that are `running`.
    """

    def __init__(self, url: str, keys: ViewKeys) -> None:
        """Use the database that `url` names; nothing is connected before the first question.

        `keys` seal the content of all documents.
        """
        self._sealing = FieldSealing(keys)
        self._server = MongoServer.at(url)
        self._database = self._server.database
        self._serves = self._database["generations"]
        self._views: dict[int, MongoViews] = {}
        self._serving = 0
        self._serving_until = 0.0

    async def reach(self, within_s: float) -> None:
        """See `Generations.reach`."""
        with within(within_s):
            # A server whose storage has failed answers a ping, and nothing else.
            await self._serves.find_one({"_id": _SERVING})

    async def serving(self) -> int:
        """See `Generations.serving`."""
        now = asyncio.get_running_loop().time()
        if now >= self._serving_until:
            with self._server.reading():
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
            # Those before it were written in the clear, too, and are not read.
            await self.drop_before(generation)
        return views

    def views(self, generation: int) -> MongoViews:
        """See `Generations.views`."""
        if generation not in self._views:
            self._views[generation] = MongoViews(self._server, generation, self._sealing)
        return self._views[generation]

    async def drop(self, generation: int) -> None:
        """See `Generations.drop`."""
        with within(WRITE_TIMEOUT_S):
            await self._database["checkpoints"].delete_one({"_id": turns_of(generation)})
        names = turns_of(generation), conversations_of(generation), running_of(generation)
        await drop(self._database, *names)

    async def drop_before(self, generation: int) -> None:
        """See `Generations.drop_before`."""
        for old in range(generation):
            await self.drop(old)

    async def close(self) -> None:
        """Let go of all connections."""
        await self._server.close()
