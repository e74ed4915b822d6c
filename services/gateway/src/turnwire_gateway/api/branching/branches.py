"""`/v1/responses/{response_id}/fork`, `…/rerun` and `…/diff`: responses beside one another."""

import asyncio

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from turnwire_chassis.event_log import EventLog, LogUnavailableError, Recorded
from turnwire_contracts.events import Requested
from turnwire_contracts.ids import ResponseId, TurnKey, is_response_id
from turnwire_contracts.json_values import JSON
from turnwire_contracts.queries import Running
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_gateway.admission.admission import Origin
from turnwire_gateway.admission.idempotency import idempotency_key, keyed
from turnwire_gateway.api.branching.response_diff import response_diff
from turnwire_gateway.api.request_context import (
    answered,
    caller,
    object_of,
    quota,
    read_body,
    response_id,
)
from turnwire_gateway.api.requests.branch_requests import (
    ForkRequest,
    base_at,
    check_credentials,
    fields_again,
    forked,
    rerun,
)
from turnwire_gateway.api.requests.validation import missing, read, requested
from turnwire_gateway.api.responses import ResponsePorts, TurnStarter, origin_of, readable
from turnwire_gateway.errors import response_not_found, unavailable


class BranchHandlers:
    """The routes of responses beside others."""

    def __init__(self, ports: ResponsePorts, log: EventLog, starter: TurnStarter) -> None:
        """`starter` runs what is asked."""
        self._ports = ports
        self._log = log
        self._starter = starter

    async def fork(self, request: Request) -> Response:
        """`POST /v1/responses/{response_id}/fork`."""
        changes, origin = await self._read(request)
        at = read(ForkRequest, changes).at
        found = await self._found(request)
        new = self._asked(found, origin, changes)
        base = base_at(await self._recorded(found.request.turn_key), at, new)
        return await self._starter.run(request, forked(new, base))

    async def rerun(self, request: Request) -> Response:
        """`POST /v1/responses/{response_id}/rerun`."""
        changes, origin = await self._read(request)
        found = await self._found(request)
        new = self._asked(found, origin, changes)
        return await self._starter.run(request, rerun(new, found.request))

    async def diff(self, request: Request) -> Response:
        """`GET /v1/responses/{response_id}/diff?with=`."""
        other = request.query_params.get("with")
        if not other:
            raise missing("with")
        if not is_response_id(other):
            raise response_not_found(other)
        before = await readable(self._ports, request)
        after = await readable(self._ports, request, ResponseId(other))
        # Long texts take long: other requests go on meanwhile.
        return answered(await asyncio.to_thread(response_diff, before, after))

    async def _read(self, request: Request) -> tuple[JSON, Origin]:
        """Read what is to be different; an empty body changes nothing. Raises `ApiError`."""
        limits = quota(request)
        limits.precheck()
        body = await read_body(request, self._ports.turns.limits.max_body_bytes, limits.sizes)
        origin = origin_of(self._ports, request)
        if (key := idempotency_key(request.headers)) is not None:
            # The same body means another turn where another response is named.
            origin = keyed(origin, key, request.url.path.encode() + b"\0" + body)
        return object_of(body, limits.sizes) if body.strip() else {}, origin

    async def _found(self, request: Request) -> ClosedTurn | Running:
        """Give the caller's own response; one that only makes a history short has no branches."""
        found = await self._ports.store.response(caller(request), response_id(request))
        if found.request.compact:
            raise response_not_found(found.request.response_id)
        return found

    def _asked(self, found: ClosedTurn | Running, origin: Origin, changes: JSON) -> Requested:
        """Give the request with its changes, as if nothing came before; raises `ApiError`."""
        of = found.request
        fields = fields_again(of, found.instructions, changes)
        origin = replace(origin, application=origin.application or of.application)
        new = requested(fields, origin, self._ports.rules)
        check_credentials(new, of)
        return new

    async def _recorded(self, turn: TurnKey) -> list[Recorded]:
        try:
            return await self._log.read(*turn)
        except LogUnavailableError as error:
            raise unavailable("event_log_unavailable") from error
