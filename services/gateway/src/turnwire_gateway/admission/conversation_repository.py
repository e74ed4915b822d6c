"""Conversations: they are begun, renamed, deleted and restored, and each turn takes its place.

A turn takes its place by a fenced append to the conversation's events, so of two at the same time
one wins. Whether the turn before still runs is read from that turn's own events.
"""

from collections.abc import Callable

from turnwire_chassis.event_log import EventLog, FencedError, LogUnavailableError
from turnwire_contracts.conversation_events import (
    AnyConversationEvent,
    ConversationCreated,
    ConversationDeleted,
    ConversationPurged,
    ConversationRestored,
    ConversationUpdated,
    TurnAdded,
)
from turnwire_contracts.errors.catalogue import failure
from turnwire_contracts.event_kinds import VERSIONS
from turnwire_contracts.events import Purged
from turnwire_contracts.ids import ConversationId, ResponseId, TenantId
from turnwire_contracts.json_values import JSON
from turnwire_contracts.queries import FoundConversation
from turnwire_contracts.turn import fold
from turnwire_contracts.turn_state import ClosedTurn, Erased, NotRequested, Turn
from turnwire_gateway.auth.caller import Caller
from turnwire_gateway.errors import ApiError, conversation_not_found, not_kept, unavailable
from turnwire_gateway.store_client import StoreClient

_ABANDONED_AFTER_MS = 10_000
"""A turn that took its place and was not requested for so long never will be: its gateway died."""

_SURELY_HELD_MS = 2_500
"""So long a turn that is requested again, by its `Idempotency-Key`, still has its place."""

_MOST_TRIES = 3


class ConversationRepository:
    """Finds conversations, and appends what happens to them."""

    def __init__(self, log: EventLog, store: StoreClient, now_ms: Callable[[], int]) -> None:
        self._log = log
        self._store = store
        self._now_ms = now_ms

    async def find(
        self,
        caller: Caller,
        conversation_id: ConversationId,
        *,
        param: str | None = None,
        deleted: bool = False,
    ) -> FoundConversation:
        """Give a conversation that the caller may see; one that was deleted only if `deleted`.

        Raises `ApiError` (404), which says the same of what is not there, deleted, or another's.
        """
        found = await self._store.conversation(caller.tenant, conversation_id)
        if (
            found is None
            or not caller.may_see(found.conversation.owner)
            or (found.conversation.deleted and not deleted)
        ):
            raise conversation_not_found(conversation_id, param)
        return found

    async def begin(
        self, caller: Caller, conversation_id: ConversationId, metadata: dict[str, str], cause: str
    ) -> FoundConversation:
        """Begin a conversation."""
        about = self._about(caller, conversation_id, cause, ConversationCreated)
        created = ConversationCreated(**about, owner=caller.owner, metadata=metadata)
        await self._append(created, 0)
        return await self.find(caller, conversation_id)

    async def rename(
        self, caller: Caller, found: FoundConversation, metadata: dict[str, str], cause: str
    ) -> FoundConversation:
        """Replace the metadata; what another turn does meanwhile does not matter."""
        conversation_id = found.conversation.conversation_id
        about = self._about(caller, conversation_id, cause, ConversationUpdated)
        await self._append(ConversationUpdated(**about, metadata=metadata), None)
        return await self.find(caller, conversation_id)

    async def delete(self, caller: Caller, found: FoundConversation, cause: str) -> None:
        """Delete it, so that no turn can be added; raises `ApiError` (409) while one runs."""
        conversation_id = found.conversation.conversation_id
        about = self._about(caller, conversation_id, cause, ConversationDeleted)
        for _ in range(_MOST_TRIES):
            if found.conversation.deleted:
                return
            await self.head(found)
            try:
                await self._try_append(ConversationDeleted(**about), found.sequence)
            except FencedError:
                found = await self.find(caller, conversation_id, deleted=True)
            else:
                return
        raise locked(conversation_id)

    async def restore(self, caller: Caller, found: FoundConversation, cause: str) -> None:
        """Undo `delete`."""
        if found.conversation.deleted:
            about = self._about(
                caller, found.conversation.conversation_id, cause, ConversationRestored
            )
            await self._append(ConversationRestored(**about), found.sequence)

    async def purge(self, caller: Caller, conversation_id: ConversationId, cause: str) -> None:
        """Have it erased for ever."""
        about = self._about(caller, conversation_id, cause, ConversationPurged)
        await self._append(ConversationPurged(**about), None)

    async def head(self, found: FoundConversation) -> ResponseId | None:
        """Give the turn on which the next one builds.

        Turns that came to nothing (failed, refused, not stored, deleted) are passed over.
        Raises `ApiError` (409) while the last one runs.
        """
        conversation = found.conversation
        if conversation.last is None:
            return None
        turn = await self.turn(found.conversation.tenant, conversation.last)
        if isinstance(turn, NotRequested):
            if self._now_ms() - conversation.last_at < _ABANDONED_AFTER_MS:
                raise locked(conversation.conversation_id)
        elif not isinstance(turn, ClosedTurn | Erased):
            raise locked(conversation.conversation_id)
        return await self._counting(found, turn)

    async def ended_head(self, found: FoundConversation) -> ResponseId | None:
        """Give the last turn that has ended, whether or not another runs after it."""
        conversation = found.conversation
        if conversation.last is None:
            return None
        turn = await self.turn(found.conversation.tenant, conversation.last)
        return await self._counting(found, turn)

    async def add_turn(
        self, caller: Caller, found: FoundConversation, response_id: ResponseId, cause: str
    ) -> ResponseId | None:
        """Give a turn its place, and the turn on which it builds; a place of its own stays so.

        Raises `ApiError`: 409 when another turn runs, or took the place first; 404 when the
        conversation was deleted meanwhile.
        """
        conversation_id = found.conversation.conversation_id
        for _ in range(_MOST_TRIES):
            conversation = found.conversation
            own = conversation.last == response_id
            if own and self._now_ms() - conversation.last_at < _SURELY_HELD_MS:
                return conversation.base
            base = conversation.base if own else await self.head(found)
            about = self._about(caller, conversation_id, cause, TurnAdded)
            added = TurnAdded(**about, response_id=response_id, base=base)
            try:
                await self._try_append(added, found.sequence)
            except FencedError:
                # Perhaps it only was renamed.
                found = await self.find(caller, conversation_id)
            else:
                return base
        raise locked(conversation_id)

    async def turn(self, tenant: TenantId, response_id: ResponseId) -> Turn:
        """Give the state of a turn, from its own events."""
        try:
            recorded = await self._log.read(tenant, response_id)
        except LogUnavailableError as error:
            raise unavailable("event_log_unavailable") from error
        return fold([each.event for each in recorded])

    async def _counting(self, found: FoundConversation, last: Turn) -> ResponseId | None:
        """Give the conversation's last turn if it counts, else the nearest before it that does."""
        if isinstance(last, ClosedTurn) and _counts(last):
            return found.conversation.last
        return await self._previous(found, found.conversation.base)

    async def _previous(
        self, found: FoundConversation, response_id: ResponseId | None
    ) -> ResponseId | None:
        while response_id is not None:
            turn = await self.turn(found.conversation.tenant, response_id)
            if isinstance(turn, ClosedTurn) and _counts(turn):
                return response_id
            response_id = _previous(turn)
        return None

    def _about(
        self,
        caller: Caller,
        conversation_id: ConversationId,
        cause: str,
        event: type[AnyConversationEvent],
    ) -> JSON:
        return {
            "v": VERSIONS[event],
            "tenant": caller.tenant,
            "conversation_id": conversation_id,
            "at": self._now_ms(),
            "cause": cause,
        }

    async def _append(self, event: AnyConversationEvent, expected: int | None) -> None:
        try:
            await self._try_append(event, expected)
        except FencedError as error:
            raise locked(event.conversation_id) from error

    async def _try_append(self, event: AnyConversationEvent, expected: int | None) -> None:
        try:
            await self._log.append(event, expected)
        except LogUnavailableError as error:
            raise not_kept(error) from error


def locked(conversation_id: ConversationId) -> ApiError:
    """Another turn is being made in the conversation (HTTP 409)."""
    return ApiError(failure("conversation_locked", conversation_id=conversation_id))


def _counts(turn: ClosedTurn) -> bool:
    """Tell whether what a turn said belongs to its conversation."""
    return turn.closed.status != "failed" and turn.closed.stored and not turn.deleted


def _previous(turn: Turn) -> ResponseId | None:
    """Give what a turn continued, as far as that is known."""
    match turn:
        case ClosedTurn():
            return turn.request.previous_response_id
        case Erased(last=Purged(previous_response_id=previous)):
            return previous
        case _:
            return None
