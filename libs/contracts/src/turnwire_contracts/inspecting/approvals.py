"""Calls of MCP tools that wait for a person: which do, and the question to the store for them."""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from turnwire_contracts import subjects
from turnwire_contracts.events import Item
from turnwire_contracts.ids import ConversationId, ItemId, OwnerId, ResponseId, TenantId
from turnwire_contracts.queries import Query, Question, Refusal
from turnwire_contracts.turn_state import ClosedTurn

_REQUEST: Final = "mcp_approval_request"
_RESPONSE: Final = "mcp_approval_response"


class OpenApproval(Struct, frozen=True):
    """A call that waits for an answer."""

    request: Item
    """The item of the type `mcp_approval_request`."""
    response_id: ResponseId
    """The response that asks; the answer continues it."""
    at: int
    """Since when it waits: Unix time in milliseconds."""
    model: str
    conversation: ConversationId | None = None


class AskForApprovals(Question, frozen=True):
    """Which calls wait for an answer of a user, the newest first."""

    tenant: TenantId
    owner: OwnerId
    limit: int
    after: ResponseId | None = None
    """Only those of responses that ended before this one."""
    of: ResponseId | None = None
    """Only those of this response, which must have ended."""


class Approvals(Struct, frozen=True, tag=True):
    """A page of calls that wait; those of one response are never on two pages."""

    approvals: list[OpenApproval]
    has_more: bool = False


def approval_requests(turn: ClosedTurn) -> Iterator[Item]:
    """Give the requests for approval that an ended turn left to its client."""
    if turn.deleted:
        return
    for item in turn.said:
        if item["type"] == _REQUEST and item.get("id") not in turn.removed:
            yield item


def answered_approvals(turn: ClosedTurn) -> tuple[ItemId, ...]:
    """Name the requests for approval that an ended turn answers.

    One that failed answers none: what it was to do can be decided again.
    """
    if turn.closed.status == "failed" or not turn.is_response:
        return ()
    return tuple(
        ItemId(str(item.get("approval_request_id")))
        for item in turn.request.input
        if item["type"] == _RESPONSE
    )


def open_approval(turn: ClosedTurn, item: Item) -> OpenApproval:
    """Say of a request for approval where it stands."""
    request = turn.request
    return OpenApproval(
        item, request.response_id, turn.closed.at, request.model, request.conversation
    )


STORE_APPROVALS: Query[AskForApprovals, Approvals | Refusal] = Query(
    subjects.STORE_APPROVALS, subjects.STORE_QUEUE, AskForApprovals, Approvals | Refusal
)
