"""What an erasure would erase: counted in the log, with nothing done."""

import asyncio
from typing import Final

from turnwire_contracts.administration.admin_queries import AskForErasurePreview, ErasurePreview
from turnwire_contracts.conversation_events import ConversationCreated
from turnwire_contracts.events import ItemsAdded, Requested
from turnwire_store.removing.erasure import TenantLog

_WITHIN_S: Final = 5.0
"""Of one answer; who asks goes on after it."""


async def preview(tenants: TenantLog, question: AskForErasurePreview) -> ErasurePreview:
    """Count the turns or conversations that are there, from `after` on.

    What was purged has lost the event that it began with. Raises `LogUnavailableError`.
    """
    loop = asyncio.get_running_loop()
    until, found, after = loop.time() + _WITHIN_S, 0, question.after
    while loop.time() < until:
        count = _turns if question.of == "turns" else _conversations
        last, more = await count(tenants, question, after)
        if last is None:
            return ErasurePreview(None, found)
        after, found = last, found + more
    return ErasurePreview(after, found)


async def _turns(
    tenants: TenantLog, question: AskForErasurePreview, after: int
) -> tuple[int | None, int]:
    page = await tenants.turns(question.tenant, after)
    ids = {
        each.response_id
        for each in page
        if isinstance(each.event, Requested | ItemsAdded)
        and question.owner in (None, each.event.owner)
    }
    return page[-1].sequence if page else None, len(ids)


async def _conversations(
    tenants: TenantLog, question: AskForErasurePreview, after: int
) -> tuple[int | None, int]:
    page = await tenants.conversations(question.tenant, after)
    ids = {
        each.conversation_id
        for each in page
        if isinstance(each.event, ConversationCreated)
        and question.owner in (None, each.event.owner)
    }
    return page[-1].sequence if page else None, len(ids)
