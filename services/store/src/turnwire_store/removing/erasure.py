"""Erases all that a tenant has, or one of its users, step by step along the log.

Nothing is remembered between steps: what is purged has lost every event but the one that says so,
so whoever begins again finds only what is left.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from msgspec import Struct

from turnwire_chassis.event_log import EventLog
from turnwire_chassis.output_log import OutputLog
from turnwire_contracts.codec import UnreadableEventError
from turnwire_contracts.conversation_events import (
    CONVERSATION_VERSIONS,
    AnyConversationEvent,
    ConversationCreated,
    ConversationPurged,
)
from turnwire_contracts.events import (
    AnyEvent,
    ItemsAdded,
    Purged,
    Requested,
)
from turnwire_contracts.ids import ConversationId, ResponseId, TenantId
from turnwire_contracts.queries import AskForErasure, ErasureStep
from turnwire_store.recalling.currency import Currency
from turnwire_store.removing.purge import Purge
from turnwire_store.sealing.view_keys import ViewKeys

_CAUSE: Final = "erasure"


class TurnEntry(Struct, frozen=True):
    """One event of a turn; `None` if it cannot be read."""

    sequence: int
    response_id: ResponseId
    event: AnyEvent | None


class ConversationEntry(Struct, frozen=True):
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

    async def conversations(self, tenant: TenantId, after: int) -> list[ConversationEntry]:
        """Give the next events of conversations behind a sequence."""
        ...


@dataclass(frozen=True)
class Ground:
    """What erasing stands on."""

    tenants: TenantLog
    log: EventLog
    output: OutputLog
    keys: ViewKeys
    currency: Currency
    now_ms: Callable[[], int]


class Erasure:
    """Does one step after the other."""

    def __init__(self, ground: Ground) -> None:
        """Stand on `ground`."""
        self._ground = ground
        self._purge = Purge(ground.log, ground.output, ground.now_ms, _CAUSE)

    async def step(self, asked: AskForErasure) -> ErasureStep:
        """Purge what stands on the next page of the log, and cancel what runs.

        At the end of the conversations a whole tenant's views lose their key.
        Raises `LogUnavailableError`, `ViewsUnavailableError`.
        """
        match asked.of:
            case "turns":
                return await self._turns(asked)
            case "conversations":
                return await self._conversations(asked)

    async def _turns(self, asked: AskForErasure) -> ErasureStep:
        page = await self._ground.tenants.turns(asked.tenant, asked.after)
        if not page:
            return ErasureStep(None)
        ids = [entry.response_id for entry in page if _is_of(entry.event, asked)]
        done = [await self._purge.turn(asked.tenant, one) for one in dict.fromkeys(ids)]
        return ErasureStep(page[-1].sequence, done.count("purged"), done.count("running"))

    async def _conversations(self, asked: AskForErasure) -> ErasureStep:
        page = await self._ground.tenants.conversations(asked.tenant, asked.after)
        if not page:
            if asked.owner is None:
                await self._ground.keys.destroy(asked.tenant)
            return ErasureStep(None, gone=(await self._ground.currency.caught_up()).whole)
        ids = [entry.conversation_id for entry in page if _conversation_is_of(entry.event, asked)]
        purged = [await self._conversation(asked.tenant, one) for one in dict.fromkeys(ids)]
        return ErasureStep(page[-1].sequence, sum(purged))

    async def _conversation(self, tenant: TenantId, conversation_id: ConversationId) -> bool:
        """Purge a conversation; tells whether it was not before."""
        try:
            recorded = await self._ground.log.read_conversation(tenant, conversation_id)
        except UnreadableEventError:
            recorded = []
        if any(isinstance(each.event, ConversationPurged) for each in recorded):
            return False
        purged = ConversationPurged(
            v=CONVERSATION_VERSIONS["purged"],
            tenant=tenant,
            conversation_id=conversation_id,
            at=self._ground.now_ms(),
            cause=_CAUSE,
        )
        await self._ground.log.append(purged, None)
        return True


def _is_of(event: AnyEvent | None, asked: AskForErasure) -> bool:
    """Tell whether an event shows that its turn is to go; of a whole tenant any but the last."""
    if asked.owner is None:
        return not isinstance(event, Purged)
    return isinstance(event, Requested | ItemsAdded) and event.owner == asked.owner


def _conversation_is_of(event: AnyConversationEvent | None, asked: AskForErasure) -> bool:
    if asked.owner is None:
        return not isinstance(event, ConversationPurged)
    return isinstance(event, ConversationCreated) and event.owner == asked.owner
