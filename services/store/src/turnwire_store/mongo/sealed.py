"""Documents with their content sealed: what is written to MongoDB, and what is read from it."""

from collections.abc import Sequence
from typing import Final, Literal

import structlog
from pymongo import UpdateOne
from pymongo.asynchronous.collection import AsyncCollection

from turnwire_contracts.ids import TenantId
from turnwire_store.mongo.documents import Document
from turnwire_store.mongo.timeouts import WRITE_TIMEOUT_S, within
from turnwire_store.sealing.view_key import UnopenableError
from turnwire_store.sealing.view_keys import ViewKeys

log = structlog.get_logger()

_AT_ONCE: Final = 64

Field = Literal["turn", "conversation"]
TURN: Final[Field] = "turn"
CONVERSATION: Final[Field] = "conversation"


class Sealing:
    """Seals one field of documents on their way in, and opens it on their way out."""

    def __init__(self, keys: ViewKeys) -> None:
        """Each tenant's documents are sealed with its own key."""
        self._keys = keys

    async def sealed(self, documents: Sequence[Document], field: Field) -> list[Document]:
        """Seal the field, a text so far. Raises `ViewsUnavailableError`."""
        tenants = {TenantId(document["tenant"]) for document in documents}
        keys = {tenant: await self._keys.making(tenant) for tenant in tenants}
        return [
            {
                **document,
                field: keys[document["tenant"]].seal(document["_id"], document[field].encode()),
            }
            for document in documents
        ]

    async def opened(self, documents: Sequence[Document], field: Field) -> list[Document]:
        """Make the field a text again; what was sealed with a key that is gone is left out.

        A text is what an earlier version wrote. Raises `ViewsUnavailableError`.
        """
        tenants = {TenantId(document["tenant"]) for document in documents}
        keys = {tenant: await self._keys.find(tenant) for tenant in tenants}
        found: list[Document] = []
        for document in documents:
            content, key = document[field], keys[document["tenant"]]
            if not isinstance(content, bytes):
                found.append(document)
                continue
            try:
                if key is not None:
                    text = key.open(document["_id"], content).decode()
                    found.append({**document, field: text})
            except UnopenableError:
                # The log says what there is to say about it.
                log.warning("view does not open", about=document["_id"])
        return found


async def seal_all(collection: AsyncCollection[Document], field: Field, sealing: Sealing) -> None:
    """Seal whatever in a collection is not sealed yet. Raises `ViewsUnavailableError`."""
    wanted = {"tenant": 1, field: 1}
    # What only an earlier version wrote goes as well: it said twice what the field says.
    gone = {"$unset": {"metadata": ""}}
    async with collection.find({}, wanted, batch_size=_AT_ONCE) as cursor:
        while True:
            with within(WRITE_TIMEOUT_S):
                chunk = await cursor.to_list(_AT_ONCE)
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
