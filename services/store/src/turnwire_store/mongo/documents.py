"""Views as MongoDB's documents, and back."""

from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from turnwire_contracts.conversation import Conversation
from turnwire_contracts.ids import ConversationId, ResponseId, TenantId
from turnwire_store.views import (
    ConversationView,
    Kin,
    Place,
    Revisable,
    Standing,
    StoredTurn,
    View,
    parent_place,
)

Document = dict[str, Any]

SCHEMA: Final = 3
"""A later schema is a new generation: `python -m turnwire_store rebuild`."""

READ_FIELDS: Final = dict.fromkeys(
    ("tenant", "parent", "chain", "depth", "fork", "turn", "deleted", "created_at"), 1
)
"""What a reader needs of a document, beside its `_id`."""

KIN_FIELDS: Final = dict.fromkeys(
    ("seq", "parent", "chain", "depth", "fork", "conversation", "model"), 1
)
STANDING_FIELDS: Final = dict.fromkeys(("seq", "chain", "depth", "conversation", "owner"), 1)
REVISABLE_FIELDS: Final = dict.fromkeys(("tenant", "seq", "revised", "turn"), 1)

_SEQUENCE_DIGITS = 20


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
        "created_at": _time(view.created_at),
        "closed_at": _time(view.closed_at),
        "parent": view.parent,
        "chain": view.place.chain,
        "depth": view.place.depth,
        "fork": None if fork is None else {"chain": fork.chain, "depth": fork.depth},
        "turn": view.turn,
    }
    if view.conversation is not None:
        document["conversation"] = view.conversation
        document["branch"] = branch(view.tenant, view.conversation, view.sequence)
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


def to_stored(document: Document) -> StoredTurn:
    """Read what a reader needs of a document."""
    return StoredTurn(
        ResponseId(document["_id"]),
        document["tenant"],
        document["parent"],
        _parent_place(document),
        document["turn"].encode(),
        document.get("deleted", False),
        _milliseconds(document["created_at"]),
    )


def to_kin(document: Document) -> Kin:
    """Read what tells whom a turn descends from."""
    return Kin(
        ResponseId(document["_id"]),
        document["seq"],
        document["parent"],
        _parent_place(document),
        document.get("conversation"),
        is_response=bool(document["model"]),
    )


def to_standing(document: Document, heir: ResponseId | None) -> Standing:
    """Read where a turn stands; `heir` is what continues its chain."""
    return Standing(
        document["seq"], place_in(document), heir, document.get("conversation"), document["owner"]
    )


def to_revisable(document: Document) -> Revisable:
    """Read what is needed to change a turn."""
    revised = document.get("revised")
    sequence = document["seq"] if revised is None else revised
    return Revisable(sequence, revised, document["turn"].encode())


def place_in(document: Document) -> Place:
    """Read the place that a document has, or that its `fork` names."""
    return Place(document["chain"], document["depth"])


def beside(view: View) -> View:
    """Give the view of a turn whose place is taken: it starts a chain of its own."""
    return msgspec.structs.replace(view, place=Place(view.response_id, 0), fork=None)


def from_conversation(view: ConversationView) -> Document:
    """Write a conversation as it is kept."""
    conversation = view.conversation
    return {
        "_id": conversation.conversation_id,
        "tenant": conversation.tenant,
        "owner": conversation.owner,
        "created": view.created,
        "seq": view.sequence,
        "schema": SCHEMA,
        "created_at": _time(conversation.created_at),
        "updated_at": _time(conversation.updated_at),
        "deleted": conversation.deleted,
        "conversation": msgspec.json.encode(conversation).decode(),
    }


def to_conversation(document: Document) -> ConversationView:
    """Read a conversation."""
    conversation = msgspec.json.decode(document["conversation"], type=Conversation)
    return ConversationView(document["created"], document["seq"], conversation)


def _parent_place(document: Document) -> Place | None:
    fork = document["fork"]
    return parent_place(place_in(document), None if fork is None else place_in(fork))


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _milliseconds(time: datetime) -> int:
    # MongoDB keeps UTC, and the driver tells it without a zone.
    return round(time.replace(tzinfo=UTC).timestamp() * 1000)
