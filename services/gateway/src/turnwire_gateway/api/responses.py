"""`/v1/responses`: create, retrieve, cancel, delete, restore, list the input."""

import os
from collections.abc import Callable
from functools import partial

from msgspec import Struct
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from turnwire_contracts.events import Requested
from turnwire_contracts.ids import ResponseId, TurnKey, new_response_id
from turnwire_contracts.json_values import JSON
from turnwire_contracts.queries import Running
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.wire.response import closed_response, running_response
from turnwire_gateway.admission.admission import Admission, Admitted, Origin, check_pairs
from turnwire_gateway.admission.idempotency import Idempotency, idempotency_key, keyed
from turnwire_gateway.admission.input_check import InputCheck
from turnwire_gateway.api.admin_acts import AdminActs
from turnwire_gateway.api.answers import FrameStream, answer_or_gone, gone
from turnwire_gateway.api.conversation_objects import asked_items
from turnwire_gateway.api.feed import FrameFeed
from turnwire_gateway.api.request_context import (
    answered,
    application,
    caller,
    object_of,
    quota,
    read_body,
    request_id,
    response_id,
    subject_id,
)
from turnwire_gateway.api.requests.paging import (
    LARGEST_NUMBER,
    flag,
    page_of,
    paging,
    whole_number,
)
from turnwire_gateway.api.requests.validation import Rules, requested
from turnwire_gateway.api.turn_commands import TurnCommands
from turnwire_gateway.api.turns import Turns
from turnwire_gateway.auth.caller import Caller
from turnwire_gateway.errors import ApiError, in_progress, invalid
from turnwire_gateway.limits.request_quota import RequestQuota
from turnwire_gateway.store_client import StoreClient

_ACCEPTED = 202
_BACKGROUND = b'"background"'
"""Without it a body asks for no background turn."""


class ResponsePorts(Struct, frozen=True):
    """What the routes need."""

    turns: Turns
    commands: TurnCommands
    store: StoreClient
    admission: Admission
    idempotency: Idempotency
    check: InputCheck
    acts: AdminActs
    rules: Rules
    now_ms: Callable[[], int]


class TurnStarter:
    """Starts turns, and answers for them in the way that was asked for."""

    def __init__(self, ports: ResponsePorts) -> None:
        self._ports = ports

    async def run(self, request: Request, turn_request: Requested) -> Response:
        """Have a turn run: give its answer, its stream, or 202. Raises `ApiError`."""
        who, limits = caller(request), quota(request)
        admitted = await self._admit(who, limits, turn_request)
        if admitted.request.stream:
            feed = await self._ports.turns.begin_stream(admitted)
            limits.keep()
            return self.stream(feed, admitted.request)
        if admitted.request.background:
            response = await self._queue(who, admitted)
            limits.keep()
            return response
        answer = await self._ports.turns.answer(admitted, gone(request))
        return answer_or_gone(answer)

    def stream(self, feed: FrameFeed, turn_request: Requested) -> FrameStream:
        """Answer with a turn's frames."""

        async def ended(reached_end: bool, begun: bool) -> None:  # noqa: FBT001 -- a callback's own shape
            # An `Idempotency-Key` leads to the turn as well as its id.
            begun = begun or turn_request.fingerprint is not None
            await self._ports.turns.end_stream(
                feed, ended=reached_end, begun=begun, background=turn_request.background
            )

        return FrameStream(feed, ended)

    async def _admit(self, who: Caller, limits: RequestQuota, request: Requested) -> Admitted:
        """Give the request to be run; its quota is acquired. Raises `ApiError`."""
        existing = await self._ports.idempotency.existing(request)
        if existing is not None:
            await limits.acquire_existing(existing)
            return Admitted(existing, already_exists=True)
        if not request.background:
            self._ports.turns.queues.check(request.tenant)
        request = await limits.acquire_turn(request)
        return Admitted(await self._settled(who, request))

    async def _settled(self, who: Caller, request: Requested) -> Requested:
        """Give the request as it is to be appended; raises `ApiError` (400, 404, 409, 425)."""
        admission = self._ports.admission
        request = await admission.resolved(who, request)
        check_pairs(request)
        if request.background:
            await admission.check_previous(who, request)
            head = partial(admission.head, who, request)
            request = await self._ports.check.passed(who, request, head)
        return await admission.placed(who, request)

    async def _queue(self, who: Caller, admitted: Admitted) -> Response:
        request = admitted.request
        if admitted.already_exists or await self._ports.turns.queue(request):
            found = await self._ports.store.response(who, request.response_id)
            return answered(_object(found), _ACCEPTED if isinstance(found, Running) else 200)
        response = running_response(request, request.instructions, started=False)
        return answered(response, _ACCEPTED)


class ResponseHandlers:
    """The routes of responses."""

    def __init__(self, ports: ResponsePorts, starter: TurnStarter) -> None:
        """`starter` runs what is asked."""
        self._ports = ports
        self._starter = starter

    async def create(self, request: Request) -> Response:
        """`POST /v1/responses`."""
        who, limits = caller(request), quota(request)
        limits.precheck()
        body = await read_body(request, self._ports.turns.limits.max_body_bytes, limits.sizes)
        origin = origin_of(self._ports, request)
        if (key := idempotency_key(request.headers)) is not None:
            origin = keyed(origin, key, body)
        elif _BACKGROUND not in body:
            # Refused before it is parsed, so that a flood costs little.
            self._ports.turns.queues.check(who.tenant)
        turn_request = requested(object_of(body, limits.sizes), origin, self._ports.rules)
        return await self._starter.run(request, turn_request)

    async def retrieve(self, request: Request) -> Response:
        """`GET /v1/responses/{response_id}`, as an object or as a stream."""
        query = request.query_params
        deleted = flag(query, "include_deleted")
        if deleted:
            await self._ports.acts.allow(request, "see_deleted", subject_id(request))
        flag(query, "include_obfuscation")
        start = _starting_after(request)
        if not flag(query, "stream"):
            return answered(_object(await readable(self._ports, request, deleted=deleted)))
        turn = TurnKey(caller(request).tenant, response_id(request))
        with self._ports.turns.joining(turn):
            found = await readable(self._ports, request, deleted=deleted)
            await quota(request).acquire_stream()
            feed = await self._ports.turns.join_stream(found.request.turn_key, start)
        return self._starter.stream(feed, found.request)

    async def delete(self, request: Request) -> Response:
        """`DELETE /v1/responses/{response_id}`; what is not there is deleted already."""
        who = caller(request)
        given = request.path_params["response_id"]
        for_ever = flag(request.query_params, "hard_delete")
        if for_ever:
            await self._ports.acts.allow(request, "purge", subject_id(request))
        try:
            found = await self._ports.store.response(
                who, response_id(request), others=for_ever, deleted=for_ever
            )
        except ApiError as error:
            if error.failure.code != "response_not_found":
                raise
        else:
            if isinstance(found, Running):
                raise in_progress(given)
            await self._delete(found.request, request_id(request), for_ever=for_ever)
        return answered({"id": given, "object": "response", "deleted": True})

    async def update(self, request: Request) -> Response:
        """`PATCH /v1/responses/{response_id}?recovery_from_delete=true`."""
        who = caller(request)
        if not flag(request.query_params, "recovery_from_delete"):
            raise nothing_to_update()
        await self._ports.acts.allow(request, "restore", subject_id(request))
        found = await self._ports.store.response(
            who, response_id(request), others=True, deleted=True
        )
        if isinstance(found, ClosedTurn) and found.deleted:
            tenant, response = found.request.tenant, found.request.response_id
            await self._ports.commands.restore(tenant, response, request_id(request))
            found = replace(found, deleted=False)
        return answered(_object(found))

    async def cancel(self, request: Request) -> Response:
        """`POST /v1/responses/{response_id}/cancel`: background responses only; idempotent."""
        found = await self._ports.store.response(caller(request), response_id(request))
        status = found.closed.status if isinstance(found, ClosedTurn) else None
        if not found.request.background:
            raise invalid("Cannot cancel a synchronous response.", None, "response_not_cancellable")
        if status not in (None, "cancelled"):
            raise invalid(f"Cannot cancel a {status} response.", None, "response_not_cancellable")
        if isinstance(found, Running):
            ended = await self._ports.commands.cancel(found.request, request_id(request))
            found = ended or found
        return answered(_object(found))

    async def input_items(self, request: Request) -> Response:
        """`GET /v1/responses/{response_id}/input_items`."""
        page = paging(request.query_params)
        found = await readable(self._ports, request)
        return answered(page_of(asked_items(found.request), page))

    async def _delete(self, of: Requested, cause: str, *, for_ever: bool) -> None:
        commands, parent = self._ports.commands, of.previous_response_id
        if for_ever:
            await commands.purge(of.tenant, of.response_id, cause, parent=parent)
        else:
            await commands.delete(of.tenant, of.response_id, cause)


async def readable(
    ports: ResponsePorts,
    request: Request,
    about: ResponseId | None = None,
    *,
    deleted: bool = False,
) -> ClosedTurn | Running:
    """Give a response to read: the caller's own; an admin gets any user's of the tenant.

    It is that of the path unless it is said `about` which. Raises `ApiError`: 404; 503 if it cannot
    be looked up, or what an admin reads not be noted.
    """
    about = about or response_id(request)
    found = await ports.store.response(caller(request), about, others=True, deleted=deleted)
    await ports.acts.note_if_others(request, found.request.owner)
    return found


def origin_of(ports: ResponsePorts, request: Request) -> Origin:
    """Give where a turn comes from, with a new response id; raises `ApiError` (400)."""
    return origin(ports, caller(request), request_id(request), application(request.headers))


def origin(ports: ResponsePorts, who: Caller, cause: str, application: str | None) -> Origin:
    """Give where a turn comes from, with a new response id; `cause` is the `x-request-id`."""
    now = ports.now_ms()
    response_id = new_response_id(now, os.urandom(10))
    return Origin(
        who.tenant,
        who.owner,
        cause,
        response_id,
        now,
        application,
        key=who.key,
        webhook=who.webhook,
    )


def nothing_to_update() -> ApiError:
    """A PATCH that asks for nothing (HTTP 400)."""
    return invalid(
        "There is nothing to update: set `recovery_from_delete=true` to restore what was deleted.",
        "recovery_from_delete",
        "missing_required_parameter",
    )


def _object(found: ClosedTurn | Running) -> JSON:
    if isinstance(found, ClosedTurn):
        response = closed_response(found)
        return {**response, "deleted": True} if found.deleted else response
    return running_response(found.request, found.instructions, started=found.started)


def _starting_after(request: Request) -> int:
    if request.query_params.get("starting_after") is None:
        return 0
    return 1 + whole_number(request.query_params, "starting_after", 0, (0, LARGEST_NUMBER))
