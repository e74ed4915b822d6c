"""Lists what waits for a person: requests for approval that no later turn has answered.

A list waits a moment for the views to be where the log is. An answer counts from the end of the
turn that it is in.
"""

from functools import partial
from typing import Final

import msgspec

from turnwire_contracts.ids import OwnerId, TenantId
from turnwire_contracts.inspecting.approvals import (
    Approvals,
    AskForApprovals,
    OpenApproval,
    approval_requests,
    open_approval,
)
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_store.listing import Window
from turnwire_store.queries.conversations import MOST_ON_A_PAGE, PAGE_BYTES
from turnwire_store.queries.range_scan import sweep
from turnwire_store.views import ApprovalRow, Views

_DECODER: Final = msgspec.json.Decoder(ClosedTurn)


class ViewsBehindError(Exception):
    """The views do not have the turn yet that was asked about."""


async def list_approvals(views: Views, request: AskForApprovals, end: int) -> Approvals:
    """Give a page of what waits, of turns that ended up to the sequence `end` of the log.

    Raises `ViewsUnavailableError`, `ViewsBehindError`.
    """
    page: list[OpenApproval] = []
    size = 0
    limit = min(request.limit, MOST_ON_A_PAGE)
    if request.after is not None:
        rows = await views.lineage_rows([request.after])
        end = rows[request.after].sequence - 1 if request.after in rows else 0
    first = 1
    if request.of is not None:
        rows = await views.lineage_rows([request.of])
        if request.of not in rows:
            # What the views do not have yet may be open or not.
            raise ViewsBehindError
        first = end = rows[request.of].sequence
    read = partial(_asking, views, request.tenant, request.owner)
    async for row in sweep(Window(first, end, newest_first=True), read, lambda row: row.sequence):
        waiting = await _waiting(views, row)
        if not waiting:
            continue
        size += len(msgspec.json.encode(waiting))
        if page and (len(page) + len(waiting) > limit or size > PAGE_BYTES):
            return Approvals(page, has_more=True)
        page += waiting
    return Approvals(page)


async def _asking(
    views: Views, tenant: TenantId, owner: OwnerId, window: Window, limit: int
) -> list[ApprovalRow]:
    return await views.asking(window, tenant, owner, limit)


async def _waiting(views: Views, row: ApprovalRow) -> list[OpenApproval]:
    """Give what a turn asked and no other has answered; of a turn that is gone, nothing."""
    answered = await views.answered(row.asks)
    if answered.issuperset(row.asks):
        return []
    stored = await views.find(row.response_id)
    if stored is None or not stored.turn:
        return []
    turn = _DECODER.decode(stored.turn)
    return [
        open_approval(turn, item) for item in approval_requests(turn) if item["id"] not in answered
    ]
