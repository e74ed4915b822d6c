"""Documents: views written as them and read back, and what MongoDB does with them.

What its errors mean, and how those of an earlier version are sealed.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import bson
import msgspec
import structlog
from bson.datetime_ms import DatetimeMS
from bson.errors import BSONError
from pymongo import IndexModel, InsertOne, ReplaceOne, UpdateOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError

from turnwire_contracts.ids import ConversationId, OwnerId, ResponseId, TenantId
from turnwire_store.chain_position import ChainPosition, ChainStatus, parent_place
from turnwire_store.mongo.server import INDEX_TIMEOUT_S, WRITE_TIMEOUT_S, within
from turnwire_store.sealing import Document, Field, FieldSealing
from turnwire_store.views import (
    LineageRow,
    Revisable,
    StoredTurn,
    View,
)

SCHEMA: Final = 3
"""A later schema is a new generation: `python -m turnwire_store rebuild`."""

READ_FIELDS: Final = dict.fromkeys(
    ("tenant", "parent", "chain", "depth", "fork", "turn", "deleted", "created_at"), 1
)
"""What a reader needs of a document, beside its `_id`."""

LINEAGE_FIELDS: Final = dict.fromkeys(
    ("seq", "parent", "chain", "depth", "fork", "conversation", "model"), 1
)
APPROVAL_FIELDS: Final = {"seq": 1, "asks": 1}
CHAIN_FIELDS: Final = dict.fromkeys(("seq", "chain", "depth", "conversation", "owner"), 1)
REVISABLE_FIELDS: Final = dict.fromkeys(("tenant", "seq", "revised", "turn"), 1)

_SEQUENCE_DIGITS = 20

_SEALED_AT_ONCE: Final = 64
_OPENED_AT_ONCE: Final = 64
_DUPLICATE: Final = 11000
_EARLIEST: Final = int(DatetimeMS(datetime.min.replace(tzinfo=UTC)))
_LATEST: Final = int(DatetimeMS(datetime.max.replace(tzinfo=UTC)))
_MOST_BYTES: Final = 16 * 1024 * 1024
"""MongoDB: the most that a document may have."""

log = structlog.get_logger()


def to_document(view: View) -> Document:
    """Write a view as it is kept; what is not so is left out where most views say the same."""
    fork = view.fork
    document: Document = {
        "_id": view.response_id,
        "tenant": view.tenant,
        "owner": view.owner,
        "seq": view.sequence,
        "schema": SCHEMA,
        "status": view.status,
        "model": view.model,
        "created_at": date_of(view.created_at),
        "closed_at": date_of(view.closed_at),
        "parent": view.parent,
        "chain": view.place.chain,
        "depth": view.place.depth,
        "fork": None if fork is None else {"chain": fork.chain, "depth": fork.depth},
        "turn": view.turn,
    }
    if view.conversation is not None:
        document["conversation"] = view.conversation
        document["branch"] = branch(view.tenant, view.conversation, view.sequence)
    if view.asks:
        document["asks"] = list(view.asks)
        document["asking"] = asking_key(view.tenant, view.owner, view.sequence)
    if view.answers:
        document["answers"] = list(view.answers)
    if view.revised is not None:
        document["revised"] = view.revised
    if view.deleted:
        document["deleted"] = True
    return document


def branch(tenant: TenantId, conversation: ConversationId, sequence: int) -> str:
    """Write the key that orders the turns of a conversation.

    One field: only an index of one field can leave out the documents that do not have it, and the
    embedded server uses none for a question that names other fields as well.
    """
    return f"{tenant}:{conversation}:{sequence:0{_SEQUENCE_DIGITS}d}"


def asking_key(tenant: TenantId, owner: OwnerId, sequence: int) -> str:
    """Write the key that orders a user's turns which asked for approvals, one field as `branch`."""
    return f"{tenant}:{len(owner)}:{owner}:{sequence:0{_SEQUENCE_DIGITS}d}"


def to_stored(document: Document) -> StoredTurn:
    """Read what a reader needs of a document."""
    return StoredTurn(
        ResponseId(document["_id"]),
        document["tenant"],
        document["parent"],
        _parent_place(document),
        document["turn"].encode(),
        document.get("deleted", False),
        int(document["created_at"]),
    )


def to_view(document: Document) -> View:
    """Read all that is kept of a turn."""
    fork = document["fork"]
    return View(
        response_id=ResponseId(document["_id"]),
        tenant=document["tenant"],
        owner=document["owner"],
        sequence=document["seq"],
        status=document["status"],
        model=document["model"],
        created_at=int(document["created_at"]),
        closed_at=int(document["closed_at"]),
        parent=document["parent"],
        place=place_in(document),
        fork=None if fork is None else place_in(fork),
        turn=document["turn"],
        conversation=document.get("conversation"),
        deleted=document.get("deleted", False),
        revised=document.get("revised"),
        asks=tuple(document.get("asks", ())),
        answers=tuple(document.get("answers", ())),
    )


def to_lineage_row(document: Document) -> LineageRow:
    """Read what tells whom a turn descends from."""
    return LineageRow(
        ResponseId(document["_id"]),
        document["seq"],
        document["parent"],
        _parent_place(document),
        document.get("conversation"),
        is_response=bool(document["model"]),
    )


def to_chain_status(document: Document, successor: ResponseId | None) -> ChainStatus:
    """Read where a turn stands; `successor` is what continues its chain."""
    return ChainStatus(
        document["seq"],
        place_in(document),
        successor,
        document.get("conversation"),
        document["owner"],
    )


def to_revisable(document: Document) -> Revisable:
    """Read what is needed to change a turn."""
    revised = document.get("revised")
    sequence = document["seq"] if revised is None else revised
    return Revisable(sequence, revised, document["turn"].encode())


def place_in(document: Document) -> ChainPosition:
    """Read the place that a document has, or that its `fork` names."""
    return ChainPosition(document["chain"], document["depth"])


def beside(view: View) -> View:
    """Give the view of a turn whose place is taken: it starts a chain of its own."""
    return msgspec.structs.replace(view, place=ChainPosition(view.response_id, 0), fork=None)


def _parent_place(document: Document) -> ChainPosition | None:
    fork = document["fork"]
    return parent_place(place_in(document), None if fork is None else place_in(fork))


def date_of(milliseconds: int) -> DatetimeMS | int:
    """Write a time as a date, or as the number that it is if a clock was far off.

    The embedded server knows the dates of Python only, which end with the year 9999.
    """
    return DatetimeMS(milliseconds) if _EARLIEST <= milliseconds <= _LATEST else milliseconds


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
