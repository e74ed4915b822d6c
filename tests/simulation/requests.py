"""What a gateway does with each kind of request: what its routes do, without HTTP around it."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

from simulation import product
from turnwire_chassis.retention import KEEPS_ALL
from turnwire_contracts.events import Requested
from turnwire_contracts.ids import ResponseId
from turnwire_contracts.queries import Running
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_gateway.admission.admission import Admitted
from turnwire_gateway.admission.idempotency import Idempotency
from turnwire_gateway.admission.input_check import InputCheck
from turnwire_gateway.api.answers import FrameStream
from turnwire_gateway.api.feed import FrameFeed
from turnwire_gateway.app import GatewayDependencies
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
    server: "SimHttpServer", response_id: ResponseId, start: int, client: Client
) -> None:
    """Send the rest of a stream, from a frame on."""
    deps = server.deps
    limits = _limits(deps, "")
    try:
        who = product.caller("acme", "ada")
        with deps.turns.joining(product.key("acme", response_id)):
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
            await server.deps.turns.queue(await _checked(server.deps, admitted.request))
        limits.keep()


async def _checked(deps: GatewayDependencies, request: Requested) -> Requested:
    """Give a background turn with the guard's verdict; raises `ApiError`."""
    who, client = product.caller("acme", "ada"), deps.client
    check = InputCheck(client, StoreClient(client), deps.guard_timeout_s, on=True)
    return await check.passed(who, request, _nothing_before)


async def _nothing_before() -> ResponseId | None:
    return None


async def retrieve(server: "SimHttpServer", response_id: ResponseId) -> ClosedTurn | Running:
    """Give a turn that has ended, or that it runs."""
    who = product.caller("acme", "ada")
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

    await FrameStream(feed, ended)({}, client.receive, client.send)


def _limits(deps: GatewayDependencies, key: str) -> RequestQuota:
    del key
    return RequestQuota(deps.limiter, product.caller("acme", "ada"), _BACKGROUND_MS)


@asynccontextmanager
async def _quota(
    deps: GatewayDependencies, request: Requested
) -> AsyncGenerator[tuple[RequestQuota, Admitted]]:
    """Acquire what a request takes, and release it at its end."""
    limits = _limits(deps, "")
    try:
        existing = await Idempotency(deps.logs.events, KEEPS_ALL).existing(request)
        if existing is None:
            yield limits, Admitted(await limits.acquire_turn(request))
        else:
            await limits.acquire_existing(existing)
            yield limits, Admitted(existing, already_exists=True)
    finally:
        limits.release()


def is_final(error: Exception) -> bool:
    """Tell whether a refusal is the client's own fault, so that asking again is of no use."""
    return isinstance(error, ApiError) and error.failure.http_status < 500
