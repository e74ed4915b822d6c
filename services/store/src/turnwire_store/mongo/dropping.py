"""Old views leave the database, while others are served from it."""

from typing import Final

from pymongo.asynchronous.database import AsyncDatabase

from turnwire_store.mongo.server import WRITE_TIMEOUT_S, within
from turnwire_store.sealing import Document

_AT_ONCE: Final = 100


async def drop(database: AsyncDatabase[Document], *names: str) -> None:
    """Drop collections with their indexes. Raises `ViewsUnavailableError`.

    The embedded server serves nothing else while it drops, which takes it some 1.6 ms for each
    document: there the documents are deleted first, in small steps.
    """
    with within(WRITE_TIMEOUT_S):
        is_embedded = "secantusVersion" in await database.client.admin.command("buildInfo")
    for name in names:
        while is_embedded and await _delete_some(database, name):
            pass
        with within(WRITE_TIMEOUT_S):
            await database.drop_collection(name)


async def _delete_some(database: AsyncDatabase[Document], name: str) -> bool:
    with within(WRITE_TIMEOUT_S):
        found = await database[name].find({}, {"_id": 1}).limit(_AT_ONCE).to_list()
        if found:
            await database[name].delete_many({"_id": {"$in": [each["_id"] for each in found]}})
    return bool(found)
