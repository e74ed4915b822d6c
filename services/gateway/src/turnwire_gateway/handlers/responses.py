"""`/v1/responses`: create, retrieve, cancel, delete, restore, list the input."""

import os
from collections.abc import Callable
from functools import partial

from msgspec import Struct
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from turnwire_chassis.keeping.retention import counted_from
from turnwire_contracts.events import Requested
from turnwire_contracts.ids import new_response_id
from turnwire_contracts.json_values import JSON
from turnwire_contracts.queries import Running
from turnwire_contracts.turn import ClosedTurn
from turnwire_contracts.wire.response import closed_response, running_response
from turnwire_gateway.admitting.admission import Admission, key_spent, keyed
from turnwire_gateway.admitting.input_check import InputCheck
from turnwire_gateway.answers.errors import ApiError, in_progress, invalid
from turnwire_gateway.answers.feed import Feed
from turnwire_gateway.answers.plain import PlainAnswer, gone
from turnwire_gateway.answers.streaming import FrameStream
from turnwire_gateway.changes import Changes
from turnwire_gateway.conversations.shapes import asked_items
from turnwire_gateway.handlers.admin_acts import AdminActs
from turnwire_gateway.handlers.exchange import (
    answered,
    application,
    caller,
    named,
    request_id,
    response_id,
    visit,
)
from turnwire_gateway.identity import Caller
from turnwire_gateway.requests.paging import flag, page_of, paging, whole_number
from turnwire_gateway.requests.pairing import check_pairs
from turnwire_gateway.requests.validation import Origin, Rules, requested
from turnwire_gateway.store_client import StoreClient
from turnwire_gateway.turns import Turns

_CLIENT_CLOSED_REQUEST = 499
_ACCEPTED = 202
_LARGEST_NUMBER = 2**53
_LONGEST_KEY = 255


class ResponsePorts(Struct, frozen=True):
    """What the routes stand on."""

    turns: Turns
    changes: Changes
    store: StoreClient
    admission: Admission
    check: InputCheck
    acts: AdminActs
    rules: Rules
    now_ms: Callable[[], int]


class ResponseHandlers:
    """The routes of responses."""

    def __init__(self, ports: ResponsePorts) -> None:
        """Stand on `ports`."""
        self._ports = ports

    async def create(self, request: Request) -> Response:
        """`POST /v1/responses`."""
        who, limits = caller(request), visit(request)
        limits.knock()
        body = await limits.sizes.body_of(request, self._ports.turns.limits.max_body_bytes)
        wanted = requested(
            limits.sizes.object_of(body),
            origin_of(self._ports, request),
            self._ports.rules,
        )
        if (key := _idempotency_key(request)) is not None:
            wanted = keyed(wanted, key, body)
        before = await self._before(wanted)
        known = before is not None
        wanted = await limits.create(before or wanted, known=known)
        wanted = wanted if known else await self._settled(who, wanted)
        if wanted.stream:
            feed = await self._ports.turns.begin_stream(wanted, known=known)
            limits.keep()
            return self._stream(feed, wanted)
        if wanted.background:
            answer = await self._queued(who, wanted, known=known)
            limits.keep()
            return answer
        answer = await self._ports.turns.answer(wanted, gone(request), known=known)
        return (
            Response(status_code=_CLIENT_CLOSED_REQUEST) if answer is None else PlainAnswer(answer)
        )

    async def retrieve(self, request: Request) -> Response:
        """`GET /v1/responses/{response_id}`, as an object or as a stream."""
        query = request.query_params
        deleted = flag(query, "include_deleted")
        if deleted:
            await self._ports.acts.allow(request, "see_deleted", named(request))
        found = await self._seen(request, deleted=deleted)
        flag(query, "include_obfuscation")
        start = _starting_after(request)
        if flag(query, "stream"):
            await visit(request).watch()
            feed = await self._ports.turns.join_stream(found.request.turn_key, start)
            return self._stream(feed, found.request)
        return answered(_object(found))

    async def delete(self, request: Request) -> Response:
        """`DELETE /v1/responses/{response_id}`; what is not there is deleted already."""
        who = caller(request)
        given = request.path_params["response_id"]
        for_ever = flag(request.query_params, "hard_delete")
        if for_ever:
            await self._ports.acts.allow(request, "purge", named(request))
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
        await self._ports.acts.allow(request, "restore", named(request))
        found = await self._ports.store.response(
            who, response_id(request), others=True, deleted=True
        )
        if isinstance(found, ClosedTurn) and found.deleted:
            wanted = found.request
            cause = request_id(request)
            await self._ports.changes.restore(wanted.tenant, wanted.response_id, cause)
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
            ended = await self._ports.changes.cancel(found.request, request_id(request))
            found = ended or found
        return answered(_object(found))

    async def input_items(self, request: Request) -> Response:
        """`GET /v1/responses/{response_id}/input_items`."""
        wanted = paging(request.query_params)
        found = await self._seen(request)
        return answered(page_of(asked_items(found.request), wanted))

    async def _seen(self, request: Request, *, deleted: bool = False) -> ClosedTurn | Running:
        """Give a response to read: one's own, or to an admin anybody's of the tenant."""
        about = response_id(request)
        found = await self._ports.store.response(
            caller(request), about, others=True, deleted=deleted
        )
        await self._ports.acts.meet(request, found.request.owner)
        return found

    async def _delete(self, of: Requested, cause: str, *, for_ever: bool) -> None:
        changes, parent = self._ports.changes, of.previous_response_id
        if for_ever:
            await changes.purge(of.tenant, of.response_id, cause, parent=parent)
        else:
            await changes.delete(of.tenant, of.response_id, cause)

    async def _before(self, wanted: Requested) -> Requested | None:
        """Give the same request that came before; raises `ApiError` (409)."""
        before = await self._ports.admission.repeated(wanted)
        if before is not None and self._ports.rules.retention.is_over(counted_from(before)):
            raise key_spent()
        return before

    async def _settled(self, who: Caller, wanted: Requested) -> Requested:
        """Give the request as it is to be appended."""
        wanted = await self._ports.admission.resolved(who, wanted)
        check_pairs(wanted)
        if wanted.background:
            await self._ports.admission.check_previous(who, wanted)
            head = partial(self._ports.admission.head, who, wanted)
            wanted = await self._ports.check.passed(who, wanted, head)
        return await self._ports.admission.placed(who, wanted)

    async def _queued(self, who: Caller, wanted: Requested, *, known: bool) -> Response:
        if known or await self._ports.turns.queue(wanted):
            found = await self._ports.store.response(who, wanted.response_id)
            return answered(_object(found), _ACCEPTED if isinstance(found, Running) else 200)
        response = running_response(wanted, wanted.instructions, started=False)
        return answered(response, _ACCEPTED)

    def _stream(self, feed: Feed, wanted: Requested) -> FrameStream:
        async def ended(reached_end: bool, begun: bool) -> None:  # noqa: FBT001 -- a callback's own shape
            # An `Idempotency-Key` leads to the turn as well as its id.
            begun = begun or wanted.fingerprint is not None
            await self._ports.turns.end_stream(
                feed, ended=reached_end, begun=begun, background=wanted.background
            )

        return FrameStream(feed, ended)


def origin_of(ports: ResponsePorts, request: Request) -> Origin:
    """Say where a turn comes from, with an id of its own; raises `ApiError` (400)."""
    return origin(ports, caller(request), request_id(request), application(request.headers))


def origin(ports: ResponsePorts, who: Caller, cause: str, application: str | None) -> Origin:
    """Say where a turn comes from, with an id of its own; `cause` is the `x-request-id`."""
    now = ports.now_ms()
    made = new_response_id(now, os.urandom(10))
    return Origin(who.tenant, who.owner, cause, made, now, application)


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


def _idempotency_key(request: Request) -> str | None:
    given = request.headers.get("idempotency-key")
    if given is not None and not 0 < len(given) <= _LONGEST_KEY:
        raise invalid(
            f"Invalid value for 'Idempotency-Key': must have 1 to {_LONGEST_KEY} characters.",
            "Idempotency-Key",
        )
    return given


def _starting_after(request: Request) -> int:
    if request.query_params.get("starting_after") is None:
        return 0
    return 1 + whole_number(request.query_params, "starting_after", 0, (0, _LARGEST_NUMBER))
