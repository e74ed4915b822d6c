"""Erases all that a tenant has, or one of its users, step by step along the log.

Nothing is remembered between steps: what is purged has lost every event but the one that says so,
so a run that begins again finds only what is left.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from msgspec import Struct

from turnwire_chassis.event_log import EventLog
from turnwire_chassis.output_log import OutputLog
from turnwire_contracts.codec import UnreadableEventError
from turnwire_contracts.conversation_events import (
    AnyConversationEvent,
    ConversationCreated,
    ConversationPurged,
)
from turnwire_contracts.event_kinds import VERSIONS
from turnwire_contracts.events import AnyEvent, ItemsAdded, Purged, Requested
from turnwire_contracts.ids import ConversationId, ResponseId, TenantId
from turnwire_contracts.queries import AskForErasure, ErasureStep
from turnwire_store.queries.freshness import Freshness
from turnwire_store.removing.purge import Purge
from turnwire_store.sealing import ViewKeys

_CAUSE: Final = "erasure"


class TurnEntry(Struct, frozen=True):
    """One event of a turn; `None` if it cannot be read."""

    sequence: int
    response_id: ResponseId
    event: AnyEvent | None


class ErasedConversationEntry(Struct, frozen=True):
    """One event of a conversation; `None` if it cannot be read."""

    sequence: int
    conversation_id: ConversationId
    event: AnyConversationEvent | None


class TenantLog(Protocol):
    """What the log has of one tenant, a page at a time; an empty page is its end.

    Every method raises `LogUnavailableError`.
    """

    async def turns(self, tenant: TenantId, after: int) -> list[TurnEntry]:
        """Give the next events of turns behind a sequence."""
        ...

    async def conversations(self, tenant: TenantId, after: int) -> list[ErasedConversationEntry]:
        """Give the next events of conversations behind a sequence."""
        ...


@dataclass(frozen=True)
class ErasureContext:
    """What erasing stands on."""

    tenants: TenantLog
    log: EventLog
    output: OutputLog
    keys: ViewKeys
    freshness: Freshness
    now_ms: Callable[[], int]


class Erasure:
    """Does one step after the other."""

    def __init__(self, context: ErasureContext) -> None:
        self._context = context
        self._purge = Purge(context.log, context.output, context.now_ms, _CAUSE)

    async def step(self, request: AskForErasure) -> ErasureStep:
        """Purge what stands on the next page of the log, and cancel what runs.

        At the end of the conversations a whole tenant's views lose their key.
        Raises `LogUnavailableError`, `ViewsUnavailableError`.
        """
        match request.of:
            case "turns":
                return await self._turns(request)
            case "conversations":
                return await self._conversations(request)

    async def _turns(self, request: AskForErasure) -> ErasureStep:
        page = await self._context.tenants.turns(request.tenant, request.after)
        if not page:
            return ErasureStep(None)
        ids = [entry.response_id for entry in page if _is_of(entry.event, request)]
        done = [await self._purge.turn(request.tenant, one) for one in dict.fromkeys(ids)]
        return ErasureStep(page[-1].sequence, done.count("purged"), done.count("running"))

    async def _conversations(self, request: AskForErasure) -> ErasureStep:
        page = await self._context.tenants.conversations(request.tenant, request.after)
        if not page:
            if request.owner is None:
                await self._context.keys.destroy(request.tenant)
            return ErasureStep(None, gone=(await self._context.freshness.caught_up()).whole)
        ids = [entry.conversation_id for entry in page if _conversation_is_of(entry.event, request)]
        purged = [await self._conversation(request.tenant, one) for one in dict.fromkeys(ids)]
        return ErasureStep(page[-1].sequence, sum(purged))

    async def _conversation(self, tenant: TenantId, conversation_id: ConversationId) -> bool:
        """Purge a conversation; tells whether it was not before."""
        try:
            recorded = await self._context.log.read_conversation(tenant, conversation_id)
        except UnreadableEventError:
            recorded = []
        if any(isinstance(each.event, ConversationPurged) for each in recorded):
            return False
        purged = ConversationPurged(
            v=VERSIONS[ConversationPurged],
            tenant=tenant,
            conversation_id=conversation_id,
            at=self._context.now_ms(),
            cause=_CAUSE,
        )
        await self._context.log.append(purged, None)
        return True


def _is_of(event: AnyEvent | None, request: AskForErasure) -> bool:
    """Tell whether an event shows that its turn is to go; of a whole tenant any but the last."""
    if request.owner is None:
        return not isinstance(event, Purged)
    return isinstance(event, Requested | ItemsAdded) and event.owner == request.owner


def _conversation_is_of(event: AnyConversationEvent | None, request: AskForErasure) -> bool:
    if request.owner is None:
        return not isinstance(event, ConversationPurged)
    return isinstance(event, ConversationCreated) and event.owner == request.owner
