"""Collections of documents: their indexes, writes of many at once, and what MongoDB's errors mean.

How documents of an earlier version are sealed.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final

import bson
import structlog
from bson.errors import BSONError
from pymongo import IndexModel, InsertOne, ReplaceOne, UpdateOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError

from turnwire_store.mongo.server import INDEX_TIMEOUT_S, WRITE_TIMEOUT_S, within
from turnwire_store.sealing import Document, Field, FieldSealing

_SEALED_AT_ONCE: Final = 64
_OPENED_AT_ONCE: Final = 64
_DUPLICATE: Final = 11000
_MOST_BYTES: Final = 16 * 1024 * 1024
"""MongoDB: the most that a document may have."""

log = structlog.get_logger()


def refused(error: BulkWriteError) -> list[int]:
    """List the operations that met a duplicate; raises `error` if anything else went wrong."""
    details: Mapping[str, Any] = error.details
    errors: list[Mapping[str, Any]] = details["writeErrors"]
    if details["writeConcernErrors"] or any(
        write_error["code"] != _DUPLICATE for write_error in errors
    ):
        raise error
    return [write_error["index"] for write_error in errors]


async def create_missing(
    collection: AsyncCollection[Document], indexes: Sequence[IndexModel]
) -> None:
    """Create those indexes that are not there yet, which takes long if there are documents.

    Raises `ViewsUnavailableError`.
    """
    with within(WRITE_TIMEOUT_S):
        there = await collection.index_information()
    if missing := [index for index in indexes if index.document["name"] not in there]:
        with within(INDEX_TIMEOUT_S):
            await collection.create_indexes(missing)


async def write_all(
    collection: AsyncCollection[Document],
    documents: Sequence[Document],
    operation: Callable[[Document], InsertOne[Document] | ReplaceOne[Document]],
) -> None:
    """Write documents in any order; what can be no document is left out, as the log has it.

    Raises what `bulk_write` raises.
    """
    try:
        await collection.bulk_write(list(map(operation, documents)), ordered=False)
    except (BSONError, OverflowError):
        # The driver refuses all of them, and does not say because of which.
        fitting = [document for document in documents if _fits(document)]
        ids = [document["_id"] for document in documents if document not in fitting]
        log.error("views that can be no documents are left out", about=ids)  # noqa: TRY400 -- what was raised holds the documents
        if not ids:
            raise
        if fitting:
            await collection.bulk_write(list(map(operation, fitting)), ordered=False)


def _fits(document: Document) -> bool:
    try:
        return len(bson.encode(document)) <= _MOST_BYTES
    except (BSONError, OverflowError):
        return False


async def opened_all(
    collection: AsyncCollection[Document], field: Field, sealing: FieldSealing
) -> AsyncIterator[Document]:
    """Give every document of a collection that opens. Raises `ViewsUnavailableError`."""
    async with collection.find({}, batch_size=_OPENED_AT_ONCE) as cursor:
        while True:
            with within(WRITE_TIMEOUT_S):
                chunk = await cursor.to_list(_OPENED_AT_ONCE)
            if not chunk:
                return
            for document in await sealing.opened(chunk, field):
                yield document


async def seal_all(
    collection: AsyncCollection[Document], field: Field, sealing: FieldSealing
) -> None:
    """Seal whatever in a collection is not sealed yet. Raises `ViewsUnavailableError`."""
    fields = {"tenant": 1, field: 1}
    # What only an earlier version wrote goes as well: it said twice what the field says.
    gone = {"$unset": {"metadata": ""}}
    async with collection.find({}, fields, batch_size=_SEALED_AT_ONCE) as cursor:
        while True:
            with within(WRITE_TIMEOUT_S):
                chunk = await cursor.to_list(_SEALED_AT_ONCE)
            if not chunk:
                return
            plain = [document for document in chunk if isinstance(document[field], str)]
            sealed = await sealing.sealed(plain, field)
            updates = [
                # Unless it has changed meanwhile.
                UpdateOne(
                    {"_id": old["_id"], field: old[field]}, {"$set": {field: new[field]}, **gone}
                )
                for old, new in zip(plain, sealed, strict=True)
            ]
            if updates:
                with within(WRITE_TIMEOUT_S):
                    await collection.bulk_write(updates, ordered=False)
