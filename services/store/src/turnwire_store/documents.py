"""Views as MongoDB's documents, and back."""

from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from turnwire_contracts.ids import ResponseId
from turnwire_store.views import Place, StoredTurn, View, parent_place

Document = dict[str, Any]

SCHEMA: Final = 1
"""A later schema is a new generation: `python -m turnwire_store rebuild`."""

READ_FIELDS: Final = dict.fromkeys(("tenant", "parent", "chain", "depth", "fork", "turn"), 1)
"""What a reader needs of a document, beside its `_id`."""


def to_document(view: View) -> Document:
    """Write a view as it is kept."""
    fork = view.fork
    return {
        "_id": view.response_id,
        "tenant": view.tenant,
        "owner": view.owner,
        "seq": view.sequence,
        "schema": SCHEMA,
        "status": view.status,
        "model": view.model,
        "created_at": _time(view.created_at),
        "closed_at": _time(view.closed_at),
        "parent": view.parent,
        "chain": view.place.chain,
        "depth": view.place.depth,
        "fork": None if fork is None else {"chain": fork.chain, "depth": fork.depth},
        "turn": view.turn,
    }


def to_stored(document: Document) -> StoredTurn:
    """Read what a reader needs of a document."""
    fork = document["fork"]
    return StoredTurn(
        ResponseId(document["_id"]),
        document["tenant"],
        document["parent"],
        parent_place(place_in(document), None if fork is None else place_in(fork)),
        document["turn"].encode(),
    )


def place_in(document: Document) -> Place:
    """Read the place that a document has, or that its `fork` names."""
    return Place(document["chain"], document["depth"])


def beside(view: View) -> View:
    """Give the view of a turn whose place is taken: it starts a chain of its own."""
    return msgspec.structs.replace(view, place=Place(view.response_id, 0), fork=None)


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
