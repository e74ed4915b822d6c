"""Erases what is purged from the log: all its events but the one that says so."""

from collections.abc import Sequence

from turnwire_chassis.event_log import EventLog, Recorded, RecordedConversation
from turnwire_contracts.conversation_events import ConversationPurged
from turnwire_contracts.events import Purged
from turnwire_contracts.ids import ConversationId, ResponseId, TenantId


async def erase_turn(
    log: EventLog, tenant: TenantId, response_id: ResponseId, projected: int
) -> None:
    """Erase a turn if it is purged, what came after that included; doing it again is fine.

    A purge behind the sequence `projected` is not in the views yet, nor is what precedes it.
    Raises `LogUnavailableError`, `UnreadableEventError`.
    """
    await _erase(log, await log.read(tenant, response_id), projected)


async def erase_conversation(
    log: EventLog, tenant: TenantId, conversation_id: ConversationId, projected: int
) -> None:
    """Erase a conversation's own events if it is purged, like those of a turn."""
    await _erase(log, await log.read_conversation(tenant, conversation_id), projected)


async def _erase(
    log: EventLog, recorded: Sequence[Recorded | RecordedConversation], projected: int
) -> None:
    purges = [one for one in recorded if isinstance(one.event, Purged | ConversationPurged)]
    if not purges or purges[0].sequence > projected:
        return
    # Newest first: broken off anywhere, what remains can still be read.
    for one in reversed(recorded):
        if one is not purges[-1]:
            await log.erase(one)
