"""Documents: views written as them and read back."""

from datetime import UTC, datetime
from typing import Final

import msgspec
from bson.datetime_ms import DatetimeMS

from turnwire_contracts.ids import ConversationId, OwnerId, ResponseId, TenantId
from turnwire_contracts.inspecting.response_list import ResponseSummary
from turnwire_store.chain_position import ChainPosition, ChainStatus, parent_place
from turnwire_store.listing import keys_of
from turnwire_store.sealing import Document
from turnwire_store.views import (
    LineageRow,
    Revisable,
    StoredTurn,
    View,
)

SCHEMA: Final = 4
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

_EARLIEST: Final = int(DatetimeMS(datetime.min.replace(tzinfo=UTC)))
_LATEST: Final = int(DatetimeMS(datetime.max.replace(tzinfo=UTC)))

_BESIDE: Final = {
    "response_id": "_id",
    **{name: name for name in ("owner", "status", "model", "created_at", "closed_at", "parent")},
}
"""What of a summary stands in the document itself, by its name there."""

LISTED_FIELDS: Final = dict.fromkeys(
    ("tenant", "began", "summary", "deleted", *_BESIDE.values()), 1
)


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
    if view.summary is not None:
        document |= listed_fields(view.began, view.summary)
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
        began=document.get("began", 0),
        summary=summary_in(document),
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


def listed_fields(began: int, summary: ResponseSummary) -> Document:
    """Write what a document needs to be listed, beside what it says of any turn."""
    written = msgspec.to_builtins(summary)
    rest = {name: value for name, value in written.items() if name not in _BESIDE}
    return {"began": began, "keys": keys_of(summary), "summary": rest}


def beside_summary(summary: ResponseSummary) -> Document:
    """Write the rest of a summary, for a document that says nothing else of its turn."""
    return {kept: getattr(summary, name) for name, kept in _BESIDE.items()}


def summary_in(document: Document) -> ResponseSummary | None:
    """Read the summary of a document that has one."""
    if "summary" not in document:
        return None
    kept = {name: document[there] for name, there in _BESIDE.items()}
    kept["created_at"] = int(document["created_at"])
    if document["closed_at"] is not None:
        kept["closed_at"] = int(document["closed_at"])
    return msgspec.convert({**document["summary"], **kept}, ResponseSummary)
