"""What must be settled before a turn is requested: what it refers to, and where it belongs.

A request with an `Idempotency-Key` has an id that derives from it, so that one which comes again
meets its own turn in the log.
"""

from collections.abc import Callable
from hashlib import blake2b

from msgspec.structs import replace

from turnwire_chassis.event_log import EventLog, LogUnavailableError
from turnwire_contracts.events import Requested
from turnwire_contracts.ids import ResponseId, named_response_id
from turnwire_contracts.queries import Running
from turnwire_contracts.turn import ClosedTurn, Erased, Unborn, fold
from turnwire_contracts.wire.refusals import previous_in_progress, previous_not_found
from turnwire_gateway.admitting.references import References
from turnwire_gateway.answers.errors import ApiError, conflict, unavailable
from turnwire_gateway.conversations.register import Register, locked
from turnwire_gateway.identity import Caller
from turnwire_gateway.store_client import StoreClient

_PLACE_HELD_MS = 5_000
"""Shorter than the time after which a place that nobody used is given to another turn."""


class Admission:
    """Settles requests."""

    def __init__(
        self,
        log: EventLog,
        references: References,
        register: Register,
        store: StoreClient,
        now_ms: Callable[[], int],
    ) -> None:
        """Ask these."""
        self._log = log
        self._references = references
        self._register = register
        self._store = store
        self._now_ms = now_ms

    async def repeated(self, request: Requested) -> Requested | None:
        """Give the request that came before with the same `Idempotency-Key`, if one did.

        Raises `ApiError` (409) when it was another one, or when its answer is gone.
        """
        if request.fingerprint is None:
            return None
        try:
            recorded = await self._log.read(request.tenant, request.response_id)
        except LogUnavailableError as error:
            raise unavailable("event log") from error
        turn = fold([each.event for each in recorded])
        match turn:
            case Unborn():
                return None
            case Erased() | ClosedTurn(deleted=True):
                raise key_spent()
            case _ if turn.request.fingerprint != request.fingerprint:
                raise conflict(
                    "idempotency_key_reused",
                    "This Idempotency-Key was used with another body. Use a new key for a new "
                    "request.",
                )
            case _:
                return turn.request

    async def admit(self, caller: Caller, request: Requested) -> Requested:
        """Resolve references, and give the turn its place in its conversation.

        Raises `ApiError`: 404 for what is not there, 409 when another turn has the place.
        """
        return await self.placed(caller, await self.resolved(caller, request))

    async def resolved(self, caller: Caller, request: Requested) -> Requested:
        """Put items in the place of references to them; raises `ApiError` (404)."""
        return replace(request, input=await self._references.resolved(caller, request.input))

    async def placed(self, caller: Caller, request: Requested) -> Requested:
        """Give a turn its place in its conversation, if it has one; raises `ApiError` (409)."""
        if request.conversation is None:
            return request
        found = await self._register.find(caller, request.conversation, param="conversation")
        if not request.store:
            # It leaves nothing behind, so it takes no place either.
            return replace(request, previous_response_id=await self._register.head(found))
        began = self._now_ms()
        base = await self._register.add_turn(caller, found, request.response_id, request.cause)
        if self._now_ms() - began > _PLACE_HELD_MS:
            raise locked(request.conversation)
        return replace(request, previous_response_id=base)

    async def check_previous(self, caller: Caller, request: Requested) -> None:
        """Return if what a request continues is the caller's, and has ended.

        For those whose client is answered before the orchestrator has read the history. Raises
        `ApiError` (404, 425) with the orchestrator's words.
        """
        previous = request.previous_response_id
        if previous is None:
            return
        match await self._store.turn(caller, previous):
            case Running():
                raise ApiError(previous_in_progress(previous))
            case ClosedTurn(deleted=False):
                return
            case _:
                raise ApiError(previous_not_found(previous))

    async def head(self, caller: Caller, request: Requested) -> ResponseId | None:
        """Give the response that a request continues, which `check_previous` has let through."""
        if request.conversation is not None:
            found = await self._register.find(caller, request.conversation, param="conversation")
            return await self._register.ended_head(found)
        return request.previous_response_id

    async def peek(self, caller: Caller, request: Requested) -> Requested:
        """Settle a request that only asks what would be: it takes no place."""
        request = await self.resolved(caller, request)
        if request.conversation is None:
            return request
        found = await self._register.find(caller, request.conversation, param="conversation")
        return replace(request, previous_response_id=await self._register.ended_head(found))


def key_spent() -> ApiError:
    """A request comes again whose answer is gone (HTTP 409)."""
    return conflict(
        "idempotency_key_spent",
        "The response to this Idempotency-Key was not stored, or is no longer kept. Use a new key "
        "to ask again.",
    )


def keyed(request: Requested, key: str, body: bytes) -> Requested:
    """Give a request the id that its `Idempotency-Key` stands for, and what must match it."""
    name = f"idempotency\0{request.tenant}\0{request.owner}\0{key}".encode()
    fingerprint = blake2b(body, digest_size=16).hexdigest()
    return replace(request, response_id=named_response_id(name), fingerprint=fingerprint)
