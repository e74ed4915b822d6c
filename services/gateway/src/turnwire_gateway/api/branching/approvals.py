"""`/v1/approvals`: calls of MCP tools that wait for a person, and what the person decides.

A decision is a turn of its own, as if a client had sent an `mcp_approval_response`. Its id derives
from the request for approval, so that a decision that comes again meets the first one in the log.
"""

from functools import partial
from hashlib import blake2b
from typing import Final

import orjson
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from turnwire_chassis.concurrency import gather_bounded
from turnwire_chassis.event_log import EventLog, LogUnavailableError
from turnwire_contracts.errors.catalogue import failure
from turnwire_contracts.events import Closed, Item, Requested
from turnwire_contracts.ids import ResponseId, TenantId, TurnKey, named_response_id, place_of_item
from turnwire_contracts.inspecting.approvals import AskForApprovals, OpenApproval, approval_requests
from turnwire_contracts.json_values import JSON
from turnwire_contracts.turn import fold
from turnwire_contracts.turn_state import ClosedTurn, Erased, NotRequested, Turn
from turnwire_gateway.api.request_context import answered, caller, fields, quota
from turnwire_gateway.api.requests.branch_requests import (
    DecisionRequest,
    check_credentials,
    fields_again,
)
from turnwire_gateway.api.requests.paging import DEFAULT_LIMIT, MOST, whole_number
from turnwire_gateway.api.requests.validation import read, requested
from turnwire_gateway.api.responses import ResponsePorts, TurnStarter, origin_of
from turnwire_gateway.errors import ApiError, in_progress, invalid, not_supported, unavailable

_AT_ONCE: Final = 16
"""How many decisions are looked up side by side."""

_MOST_FAILED: Final = 100
"""How often a decision may fail before it is refused: each is a turn of its own."""

_NOT_TAKEN: Final = {
    "input": "A decision is all that its turn is told: say the rest in a turn behind it.",
    "store": "A decision is kept: it could not be told again, and would be asked for for ever.",
    "stream": "A decision is answered whole: send `background`, and read the response's stream.",
}
_OF_DECISIONS: Final = ("approve", "reason")


class ApprovalHandlers:
    """The routes of approvals."""

    def __init__(self, ports: ResponsePorts, log: EventLog, starter: TurnStarter) -> None:
        """`starter` runs the turns behind decisions."""
        self._ports = ports
        self._log = log
        self._starter = starter

    async def list_open(self, request: Request) -> Response:
        """`GET /v1/approvals`: the caller's own, the newest first."""
        who, query = caller(request), request.query_params
        limit = whole_number(query, "limit", DEFAULT_LIMIT, (1, MOST))
        after = _asking(query.get("after") or None)
        question = AskForApprovals(who.tenant, who.owner, limit, after)
        page = await self._ports.store.approvals(question)
        decided = await gather_bounded(
            partial(self._is_decided, who.tenant), page.approvals, _AT_ONCE
        )
        waiting = [each for each, done in zip(page.approvals, decided, strict=True) if not done]
        data = list(map(_object, waiting))
        return answered(
            {
                "object": "list",
                "data": data,
                "first_id": data[0]["id"] if data else None,
                "last_id": page.approvals[-1].request["id"] if page.approvals else None,
                "has_more": page.has_more,
            }
        )

    async def decide(self, request: Request) -> Response:
        """`POST /v1/approvals/{approval_id}`: once; the same again gives the same."""
        quota(request).precheck()
        given = await fields(request, self._ports.turns.limits.max_body_bytes)
        decision = read(DecisionRequest, given)
        for name, message in _NOT_TAKEN.items():
            unwanted = given.get(name) is False if name == "store" else given.get(name)
            if unwanted:
                raise not_supported(name, message)
        found, item = await self._found(request)
        changes = {name: value for name, value in given.items() if name not in _OF_DECISIONS}
        new = await self._continuation(request, found, item, decision, changes)
        response = await self._starter.run(request, new)
        # Of two decisions at the same moment one is in the log.
        turn = await self._turn(new.turn_key)
        if isinstance(turn, NotRequested | Erased) or turn.request.fingerprint == new.fingerprint:
            return response
        raise _decided(item["id"])

    async def _found(self, request: Request) -> tuple[ClosedTurn, Item]:
        """Give the response that asked, and what it asked. Raises `ApiError` (404, 425)."""
        name = request.path_params["approval_id"]
        place = place_of_item(name)
        turn = place and await self._ports.store.turn(caller(request), place[0])
        if place is None or turn is None:
            raise _no_approval(name)
        if not isinstance(turn, ClosedTurn):
            raise in_progress(place[0])
        for item in approval_requests(turn):
            if item["id"] == name:
                return turn, item
        raise _no_approval(name)

    async def _continuation(
        self,
        request: Request,
        found: ClosedTurn,
        item: Item,
        decision: DecisionRequest,
        changes: JSON,
    ) -> Requested:
        """Give the turn that tells a decision; raises `ApiError`."""
        of, decided = found.request, decision.said
        fingerprint = blake2b(orjson.dumps(decided), digest_size=16).hexdigest()
        name = await self._place_of(found, item, fingerprint)
        origin = origin_of(self._ports, request)
        origin = replace(
            origin,
            response_id=name,
            fingerprint=fingerprint,
            application=origin.application or of.application,
        )
        new = requested(fields_again(of, found.instructions, changes), origin, self._ports.rules)
        if decision.approve:
            check_credentials(new, of)
        answer = {"type": "mcp_approval_response", "approval_request_id": item["id"], **decided}
        # In a conversation it takes the next place; else it continues the response that asked.
        previous = None if of.conversation else of.response_id
        return replace(
            new, input=[answer], previous_response_id=previous, conversation=of.conversation
        )

    async def _place_of(self, found: ClosedTurn, item: Item, fingerprint: str) -> ResponseId:
        """Name the turn of a decision: the one that was made, or the one that is to be made.

        A turn that failed has decided nothing; the next one has another id. Raises `ApiError`
        (409) if it was decided in another way.
        """
        tenant = found.request.tenant
        name, turn = await self._decision(tenant, item["id"])
        if isinstance(turn, NotRequested):
            await self._check_open(found, item)
            return name
        if isinstance(turn, Erased) or turn.request.fingerprint != fingerprint:
            raise _decided(item["id"])
        return name

    async def _decision(self, tenant: TenantId, approval_id: str) -> tuple[ResponseId, Turn]:
        """Give the turn of a decision, or the name that it is to have; one that failed is none."""
        for attempt in range(_MOST_FAILED):
            name = decision_id(tenant, approval_id, attempt)
            match turn := await self._turn(TurnKey(tenant, name)):
                case ClosedTurn(closed=Closed(status="failed")) | Erased(Closed(status="failed")):
                    continue
                case _:
                    return name, turn
        raise _decided(approval_id)

    async def _check_open(self, found: ClosedTurn, item: Item) -> None:
        """Refuse a decision where a client has answered by itself. Raises `ApiError` (409)."""
        of = found.request
        question = AskForApprovals(of.tenant, of.owner, MOST, of=of.response_id)
        page = await self._ports.store.approvals(question)
        if all(each.request["id"] != item["id"] for each in page.approvals):
            raise _decided(item["id"])

    async def _is_decided(self, tenant: TenantId, approval: OpenApproval) -> bool:
        """Tell whether a decision was made: views know it from its turn's end on, at the latest."""
        _, turn = await self._decision(tenant, approval.request["id"])
        return not isinstance(turn, NotRequested)

    async def _turn(self, turn: TurnKey) -> Turn:
        try:
            return fold([each.event for each in await self._log.read(*turn)])
        except LogUnavailableError as error:
            raise unavailable("event_log_unavailable") from error


def decision_id(tenant: TenantId, approval_id: str, attempt: int = 0) -> ResponseId:
    """Name the turn that tells a decision; `attempt` counts those before it that failed."""
    return named_response_id(f"approval\0{tenant}\0{approval_id}\0{attempt}".encode())


def _asking(approval_id: str | None) -> ResponseId | None:
    """Read from the id of a request for approval which response asks; raises `ApiError` (400)."""
    if approval_id is None:
        return None
    place = place_of_item(approval_id)
    if place is None:
        raise invalid(
            "Invalid value for 'after': must be the id of a request for approval.", "after"
        )
    return place[0]


def _object(approval: OpenApproval) -> JSON:
    item = approval.request
    return {
        "id": item["id"],
        "object": "approval",
        "created_at": approval.at // 1000,
        "response_id": approval.response_id,
        "conversation": {"id": approval.conversation} if approval.conversation else None,
        "model": approval.model,
        "server_label": item.get("server_label"),
        "name": item.get("name"),
        "arguments": item.get("arguments"),
    }


def _no_approval(approval_id: str) -> ApiError:
    return ApiError(failure("approval_not_found", approval_id=approval_id))


def _decided(approval_id: str) -> ApiError:
    return ApiError(failure("approval_decided", approval_id=approval_id))
