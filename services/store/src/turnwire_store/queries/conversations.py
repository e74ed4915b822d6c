"""Finds conversations: the view, and what came after it in the log.

One alone is always exact, as the log is asked for what its view does not know yet. A list waits a
moment for the views to be where the log is.
"""

from functools import partial
from typing import Final

import msgspec
import structlog

from turnwire_chassis.event_log import EventLog, RecordedConversation
from turnwire_contracts.codec import UnreadableEventError
from turnwire_contracts.conversation import ConversationState
from turnwire_contracts.ids import ConversationId, OwnerId, TenantId, is_conversation_id
from turnwire_contracts.queries import AskForConversations, Conversations
from turnwire_contracts.turn import ImpossibleEventError
from turnwire_store.listing import Window
from turnwire_store.queries.range_scan import sweep
from turnwire_store.views import (
    ConversationView,
    ConversationViews,
    Generations,
    ViewsUnavailableError,
    follow,
)

log = structlog.get_logger()

PAGE_BYTES: Final = 700 * 1024
"""A page must fit in one message of the broker."""

MOST_ON_A_PAGE: Final = 100


async def find_conversation(
    event_log: EventLog, generations: Generations, tenant: TenantId, conversation_id: ConversationId
) -> ConversationView | None:
    """Give a conversation as it is now, deleted or not.

    Raises `LogUnavailableError`.
    """
    # What is no id may be a pattern, and the log would answer for more than one conversation.
    if not is_conversation_id(conversation_id):
        return None
    view = await _view(generations, conversation_id)
    if view is not None and view.conversation.tenant != tenant:
        return None
    after = 0 if view is None else view.sequence
    try:
        recorded = await event_log.read_conversation(tenant, conversation_id, after)
    except UnreadableEventError as error:
        log.exception("conversation unreadable", about=conversation_id, reason=str(error))
        return None
    for one in recorded:
        view = _followed(view, one)
    return view


async def list_conversations(
    views: ConversationViews, request: AskForConversations, end: int
) -> Conversations:
    """Give a page of the conversations that began up to the sequence `end` of the log.

    It may be shorter than was asked for when they are large. Raises `ViewsUnavailableError`.
    """
    page: list[ConversationState] = []
    size, skip = 0, request.offset
    limit = min(request.limit, MOST_ON_A_PAGE)
    read = partial(_created_in, views, request.tenant, request.owner)
    everything = Window(1, end, request.newest_first)
    async for view in sweep(everything, read, lambda view: view.created):
        if not _matches(view.conversation, request):
            continue
        if skip:
            skip -= 1
            continue
        size += len(msgspec.json.encode(view.conversation))
        if len(page) == limit or (page and size > PAGE_BYTES):
            return Conversations(page, has_more=True)
        page.append(view.conversation)
    return Conversations(page)


async def _created_in(
    views: ConversationViews, tenant: TenantId, owner: OwnerId | None, window: Window, limit: int
) -> list[ConversationView]:
    return await views.created_in(window, tenant, owner, limit)


def _matches(conversation: ConversationState, request: AskForConversations) -> bool:
    if conversation.deleted and not request.include_deleted:
        return False
    return request.metadata.items() <= conversation.metadata.items()


def _followed(
    view: ConversationView | None, recorded: RecordedConversation
) -> ConversationView | None:
    try:
        return follow(view, recorded.sequence, recorded.event)
    except ImpossibleEventError as error:
        # The projection passes over it as well.
        log.warning("event without effect", sequence=recorded.sequence, reason=str(error))
        return follow(view, recorded.sequence, None)


async def _view(
    generations: Generations, conversation_id: ConversationId
) -> ConversationView | None:
    try:
        views = generations.views(await generations.serving()).conversations
        return (await views.find([conversation_id])).get(conversation_id)
    except ViewsUnavailableError as error:
        log.warning("views unavailable", reason=str(error))
        return None
