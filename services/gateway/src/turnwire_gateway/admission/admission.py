"""What must be settled before a turn is requested: what it refers to, and where it belongs."""

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from turnwire_chassis.api_keys.record import KeyWebhook
from turnwire_contracts.events import Requested
from turnwire_contracts.ids import OwnerId, ResponseId, TenantId
from turnwire_contracts.queries import Running
from turnwire_contracts.tool_rounds.pairing import unpaired
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.wire.refusals import previous_in_progress, previous_not_found
from turnwire_gateway.admission.conversation_repository import ConversationRepository, locked
from turnwire_gateway.admission.references import References
from turnwire_gateway.auth.caller import Caller
from turnwire_gateway.errors import ApiError
from turnwire_gateway.store_client import StoreClient

_PLACE_HELD_MS = 5_000
"""Shorter than the time after which an unused place is given to another turn."""


class Origin(Struct, frozen=True):
    """Where a request comes from and when: what the event says beside the body."""

    tenant: TenantId
    owner: OwnerId
    request_id: str
    response_id: ResponseId
    at: int
    application: str | None = None
    """Whose policy the guard judges by."""
    fingerprint: str | None = None
    """What the body must match when the same `Idempotency-Key` comes again."""
    key: str | None = None
    """The id of the API key that asks."""
    webhook: KeyWebhook | None = None
    """That of the API key."""


class Admitted(Struct, frozen=True):
    """A request as it is to be run: as it is to be appended, or as it was appended before."""

    request: Requested
    already_exists: bool = False
    """Whether its turn was requested before, with the same `Idempotency-Key`."""


class Admission:
    """Settles what requests refer to, and gives their turns a place in their conversations."""

    def __init__(
        self,
        references: References,
        repository: ConversationRepository,
        store: StoreClient,
        now_ms: Callable[[], int],
    ) -> None:
        self._references = references
        self._repository = repository
        self._store = store
        self._now_ms = now_ms

    async def admit(self, caller: Caller, request: Requested) -> Admitted:
        """Resolve references, and give the turn its place in its conversation.

        Raises `ApiError`: 404 for what is not there, 409 when another turn has the place.
        """
        request = await self.resolved(caller, request)
        return Admitted(await self.placed(caller, request))

    async def resolved(self, caller: Caller, request: Requested) -> Requested:
        """Put items in the place of references to them.

        Raises `ApiError`: 404 for what is not there, 400 and 413 when it is too much.
        """
        if not any(item["type"] == "item_reference" for item in request.input):
            return request
        return replace(request, input=await self._references.resolved(caller, request.input))

    async def placed(self, caller: Caller, request: Requested) -> Requested:
        """Give a turn its place in its conversation, if it has one; raises `ApiError` (409)."""
        if request.conversation is None:
            return request
        found = await self._repository.find(caller, request.conversation, param="conversation")
        if not request.store:
            # It leaves nothing behind, so it takes no place either.
            return replace(request, previous_response_id=await self._repository.head(found))
        began = self._now_ms()
        base = await self._repository.add_turn(caller, found, request.response_id, request.cause)
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
            found = await self._repository.find(caller, request.conversation, param="conversation")
            return await self._repository.ended_head(found)
        return request.previous_response_id

    async def peek(self, caller: Caller, request: Requested) -> Requested:
        """Settle a request that only asks what would be: it takes no place."""
        request = await self.resolved(caller, request)
        if request.conversation is None:
            return request
        found = await self._repository.find(caller, request.conversation, param="conversation")
        return replace(request, previous_response_id=await self._repository.ended_head(found))


def check_pairs(request: Requested) -> None:
    """Refuse an answer without its call, and half an answer, in an input which is all there is.

    Where something came before, the orchestrator looks into it. Raises `ApiError` (400).
    """
    if request.previous_response_id is not None or request.conversation is not None:
        return
    if any(item["type"] == "item_reference" for item in request.input):
        return
    if (failure := unpaired(request.own_input)) is not None:
        raise ApiError(failure)
