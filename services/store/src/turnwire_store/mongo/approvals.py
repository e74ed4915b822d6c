"""What documents of turns say of approvals: ids alone, no content."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from msgspec.structs import replace
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.asynchronous.collection import AsyncCollection

from turnwire_contracts.ids import ItemId, OwnerId, ResponseId, TenantId
from turnwire_store.sealing import Document
from turnwire_store.views import ApprovalRow, View, Window

_SEQUENCE_DIGITS: Final = 20
_ROW_FIELDS: Final = {"seq": 1, "asks": 1}

APPROVAL_INDEXES: Final = (
    IndexModel([("asking", ASCENDING)], name="asking", sparse=True),
    IndexModel([("answers", ASCENDING)], name="answers", sparse=True),
)


def with_approvals(document: Document, view: View) -> Document:
    """Say in the document of a turn what it asks and answers; most say nothing of it."""
    if view.asks:
        asking = _asking_key(view.tenant, view.owner, view.sequence)
        document |= {"asks": list(view.asks), "asking": asking}
    if view.answers:
        document["answers"] = list(view.answers)
    return document


def read_approvals(view: View, document: Mapping[str, Any]) -> View:
    """Read into a view what its document says of approvals."""
    asks, answers = document.get("asks", ()), document.get("answers", ())
    return replace(view, asks=tuple(asks), answers=tuple(answers)) if asks or answers else view


async def find_asking(
    turns: AsyncCollection[Document], window: Window, tenant: TenantId, owner: OwnerId, limit: int
) -> list[ApprovalRow]:
    """See `Views.asking`."""
    first, last = (_asking_key(tenant, owner, each) for each in (window.first, window.last))
    order = [("asking", DESCENDING if window.newest_first else ASCENDING)]
    within = {"asking": {"$gte": first, "$lte": last}}
    found = await turns.find(within, _ROW_FIELDS, sort=order, limit=limit).to_list(None)
    return [
        ApprovalRow(ResponseId(each["_id"]), each["seq"], tuple(each["asks"])) for each in found
    ]


async def find_answered(
    turns: AsyncCollection[Document], asks: Collection[ItemId]
) -> frozenset[ItemId]:
    """See `Views.answered`."""
    found = await turns.find({"answers": {"$in": list(asks)}}, {"answers": 1}).to_list(None)
    return frozenset(ItemId(each) for document in found for each in document["answers"])


def _asking_key(tenant: TenantId, owner: OwnerId, sequence: int) -> str:
    """Write the key that orders a user's turns; the length keeps users apart."""
    return f"{tenant}:{len(owner)}:{owner}:{sequence:0{_SEQUENCE_DIGITS}d}"
