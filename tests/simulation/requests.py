"""What a gateway does with each kind of request: what its routes do, without HTTP around it."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from simulation.wishes import OWNER
from turnwire_chassis.http.framing import offering
from turnwire_chassis.retention import KEEPS_ALL
from turnwire_contracts.events import Requested
from turnwire_contracts.ids import ConversationId, ResponseId, TenantId, TurnKey
from turnwire_contracts.queries import Running
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_gateway.admission.admission import Admission, Admitted
from turnwire_gateway.admission.conversation_repository import ConversationRepository
from turnwire_gateway.admission.idempotency import Idempotency
from turnwire_gateway.admission.input_check import InputCheck
from turnwire_gateway.admission.references import References
from turnwire_gateway.api.answers import FrameStream
from turnwire_gateway.api.feed import FrameFeed
from turnwire_gateway.app import GatewayDependencies
from turnwire_gateway.auth.caller import Caller
from turnwire_gateway.errors import ApiError, response_not_found
from turnwire_gateway.limits.request_quota import RequestQuota
from turnwire_gateway.store_client import StoreClient

if TYPE_CHECKING:
    from simulation.stand_ins import SimHttpServer

_BACKGROUND_MS = 20_000
"""For how long a background turn is held at most, should its end not be heard of."""


GatewayRequest = Callable[["SimHttpServer"], Awaitable[Any]]
"""Runs in the process of a gateway."""


class Client(Protocol):
    """Where a stream goes (ASGI)."""

    async def send(self, message: Any) -> None:
        """Take what the gateway sends."""
        ...

    def write_part(self, body: bytes) -> bool:
        """Take a part at once, or not."""
        ...

    async def receive(self) -> Any:
        """Wait until the client leaves."""
        ...


async def answer(
    server: "SimHttpServer", request: Requested, gone: Awaitable[None]
) -> tuple[int, bytes] | None:
    """Run a plain turn; `None`: its client has gone."""
    async with _quota(server.deps, request) as (_, admitted):
        got = await server.deps.turns.answer(admitted, gone)
        return None if got is None else (got.status, got.body)


async def begin(server: "SimHttpServer", request: Requested, client: Client) -> None:
    """Run a turn and send its stream."""
    async with _quota(server.deps, request) as (limits, admitted):
        feed = await server.deps.turns.begin_stream(admitted)
        limits.keep()
        await _send(server.deps, feed, admitted.request, client)


async def join(
    server: "SimHttpServer", tenant: TenantId, response_id: ResponseId, start: int, client: Client
) -> None:
    """Send the rest of a stream, from a frame on."""
    deps = server.deps
    limits = _limits(deps, tenant)
    try:
        who = Caller(tenant, OWNER)
        with deps.turns.joining(TurnKey(tenant, response_id)):
            found = await StoreClient(deps.client).response(who, response_id)
            await limits.acquire_stream()
            feed = await deps.turns.join_stream(found.request.turn_key, start)
        await _send(deps, feed, found.request, client)
    finally:
        limits.release()


async def queue(server: "SimHttpServer", request: Requested) -> None:
    """Request a background turn."""
    async with _quota(server.deps, request) as (limits, admitted):
        if not admitted.already_exists:
            await server.deps.turns.queue(admitted.request)
        limits.keep()


async def _settled(deps: GatewayDependencies, request: Requested) -> Requested:
    """Give a request as it is to be appended; raises `ApiError`."""
    who, client = Caller(request.tenant, OWNER), deps.client
    store = StoreClient(client)
    repository = ConversationRepository(deps.logs.events, store, deps.now_ms)
    references = References(store, deps.turns.limits.max_body_bytes)
    admission = Admission(references, repository, store, deps.now_ms)
    if request.background:
        check = InputCheck(client, store, deps.guard_timeout_s, on=True)
        request = await check.passed(who, request, partial(admission.head, who, request))
    return await admission.placed(who, request)


async def conversation(server: "SimHttpServer", tenant: TenantId, wanted: ConversationId) -> bool:
    """Begin a conversation, if it is not there; tells whether it is there now."""
    store, deps = StoreClient(server.deps.client), server.deps
    if await store.conversation(tenant, wanted) is None:
        repository = ConversationRepository(deps.logs.events, store, deps.now_ms)
        await repository.begin(Caller(tenant, OWNER), wanted, {}, "req_conversation")
    return True


async def retrieve(
    server: "SimHttpServer", tenant: TenantId, response_id: ResponseId
) -> ClosedTurn | Running:
    """Give a turn that has ended, or that it runs."""
    who = Caller(tenant, OWNER)
    found = await StoreClient(server.deps.client).response(who, response_id)
    if isinstance(found, ClosedTurn) and found.deleted:
        raise response_not_found(response_id)
    return found


async def _send(
    deps: GatewayDependencies, feed: FrameFeed, request: Requested, client: Client
) -> None:
    async def ended(reached_end: bool, begun: bool) -> None:  # noqa: FBT001 -- a callback's own shape
        begun = begun or request.fingerprint is not None
        await deps.turns.end_stream(
            feed, ended=reached_end, begun=begun, background=request.background
        )

    await FrameStream(feed, ended)(offering(client.write_part), client.receive, client.send)


def _limits(deps: GatewayDependencies, tenant: TenantId) -> RequestQuota:
    return RequestQuota(deps.limiter, Caller(tenant, OWNER), _BACKGROUND_MS)


@asynccontextmanager
async def _quota(
    deps: GatewayDependencies, request: Requested
) -> AsyncGenerator[tuple[RequestQuota, Admitted]]:
    """Acquire what a request takes, and release it at its end."""
    limits = _limits(deps, request.tenant)
    try:
        existing = await Idempotency(deps.logs.events, KEEPS_ALL).existing(request)
        if existing is None:
            if not request.background:
                deps.turns.queues.check(request.tenant)
            yield limits, Admitted(await _settled(deps, await limits.acquire_turn(request)))
        else:
            await limits.acquire_existing(existing)
            yield limits, Admitted(existing, already_exists=True)
    finally:
        limits.release()


def is_final(error: Exception) -> bool:
    """Tell whether a refusal is the client's own fault, so that asking again is of no use."""
    return isinstance(error, ApiError) and error.failure.http_status < 500
