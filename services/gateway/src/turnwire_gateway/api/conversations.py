"""`/v1/conversations`: begin, list, show, rename, delete, restore; their items and responses."""

import os
from collections.abc import Callable
from functools import partial

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from turnwire_chassis.event_log import TooLargeError
from turnwire_contracts.events import Item
from turnwire_contracts.ids import ResponseId, new_conversation_id
from turnwire_contracts.queries import AskForConversations, AskForTree, FoundConversation
from turnwire_gateway.admission.conversation_repository import ConversationRepository
from turnwire_gateway.admission.input_check import InputCheck
from turnwire_gateway.admission.references import References
from turnwire_gateway.api.admin_acts import AdminActs
from turnwire_gateway.api.conversation_contents import ConversationContents
from turnwire_gateway.api.conversation_objects import conversation_object
from turnwire_gateway.api.request_context import (
    answered,
    application,
    caller,
    conversation_id,
    fields,
    request_id,
    subject_id,
)
from turnwire_gateway.api.requests.other_requests import (
    ConversationCreate,
    ConversationUpdate,
    ItemsCreate,
)
from turnwire_gateway.api.requests.paging import (
    DEFAULT_LIMIT,
    FURTHEST,
    MOST,
    flag,
    listed,
    order,
    paging,
    whole_number,
)
from turnwire_gateway.api.requests.validation import items_of, read
from turnwire_gateway.api.responses import nothing_to_update
from turnwire_gateway.errors import ApiError, too_large
from turnwire_gateway.store_client import StoreClient

_METADATA = "metadata."


class ConversationPorts(Struct, frozen=True):
    """What the routes need."""

    repository: ConversationRepository
    contents: ConversationContents
    references: References
    store: StoreClient
    check: InputCheck
    acts: AdminActs
    max_body_bytes: int
    now_ms: Callable[[], int]


class ConversationHandlers:
    """The routes of conversations."""

    def __init__(self, ports: ConversationPorts) -> None:
        self._ports = ports

    async def create(self, request: Request) -> Response:
        """`POST /v1/conversations`."""
        who, now = caller(request), self._ports.now_ms()
        body = await fields(request, self._ports.max_body_bytes, optional=True)
        given = read(ConversationCreate, body)
        items = items_of(given.items, "items") if given.items else []
        items = await self._ports.references.all_resolved(who, items)
        await self._ports.check.items(who, items, application(request.headers))
        made = new_conversation_id(now, os.urandom(10))
        cause = request_id(request)
        found = await self._ports.repository.begin(who, made, given.metadata or {}, cause)
        if items:
            await self._add(request, found, items)
            # Adding them changed when it was updated.
            found = await self._ports.repository.find(who, made)
        return answered(conversation_object(found.conversation))

    async def list_all(self, request: Request) -> Response:
        """`GET /v1/conversations`; an admin sees all of the tenant's."""
        who, query = caller(request), request.query_params
        question = AskForConversations(
            who.tenant,
            None if who.is_admin else who.owner,
            limit=whole_number(query, "limit", DEFAULT_LIMIT, (1, MOST)),
            offset=whole_number(query, "offset", 0, (0, FURTHEST)),
            newest_first=order(query, newest_first=True),
            metadata={
                name.removeprefix(_METADATA): value
                for name, value in query.items()
                if name.startswith(_METADATA)
            },
            include_deleted=await self._include_deleted(request),
        )
        if who.is_admin:
            await self._ports.acts.allow(request, "see_others", subject_id(request))
        page = await self._ports.store.conversations(question)
        data = [conversation_object(conversation) for conversation in page.conversations]
        return answered(listed(data, has_more=page.has_more))

    async def retrieve(self, request: Request) -> Response:
        """`GET /v1/conversations/{conversation_id}`."""
        deleted = await self._include_deleted(request)
        found = await self._find(request, deleted=deleted)
        return answered(conversation_object(found.conversation))

    async def update(self, request: Request) -> Response:
        """`POST /v1/conversations/{conversation_id}`."""
        found = await self._find(request)
        given = read(ConversationUpdate, await fields(request, self._ports.max_body_bytes))
        renamed = await self._ports.repository.rename(
            caller(request), found, given.metadata or {}, request_id(request)
        )
        return answered(conversation_object(renamed.conversation))

    async def delete(self, request: Request) -> Response:
        """`DELETE /v1/conversations/{conversation_id}`; what is not there is deleted already.

        Its responses go with it (Aleph Alpha).
        """
        who, cause = caller(request), request_id(request)
        given = request.path_params["conversation_id"]
        for_ever = flag(request.query_params, "hard_delete")
        if for_ever:
            await self._ports.acts.allow(request, "purge", subject_id(request))
        try:
            found = await self._find(request, deleted=True)
        except ApiError as error:
            if error.failure.code != "conversation_not_found":
                raise
        else:
            await self._ports.repository.delete(who, found, cause)
            if for_ever:
                await self._ports.contents.purge(found, cause)
                await self._ports.repository.purge(who, found.conversation.conversation_id, cause)
            else:
                await self._ports.contents.delete(found, cause)
        return answered({"id": given, "object": "conversation.deleted", "deleted": True})

    async def restore(self, request: Request) -> Response:
        """`PATCH /v1/conversations/{conversation_id}?recovery_from_delete=true`."""
        who, cause = caller(request), request_id(request)
        if not flag(request.query_params, "recovery_from_delete"):
            raise nothing_to_update()
        await self._ports.acts.allow(request, "restore", subject_id(request))
        found = await self._find(request, deleted=True)
        await self._ports.contents.restore(found, cause)
        await self._ports.repository.restore(who, found, cause)
        return answered(conversation_object((await self._find(request)).conversation))

    async def tree(self, request: Request) -> Response:
        """`GET /v1/conversations/{conversation_id}/responses`."""
        who, query = caller(request), request.query_params
        deleted = await self._include_deleted(request)
        page = paging(query, newest_first=False)
        found = await self._find(request, deleted=deleted)
        question = AskForTree(
            who.tenant,
            found.conversation.conversation_id,
            limit=page.limit,
            after=None if page.after is None else ResponseId(page.after),
            newest_first=page.newest_first,
            include_deleted=deleted,
        )
        return answered(await self._ports.contents.tree(question))

    async def add_items(self, request: Request) -> Response:
        """`POST /v1/conversations/{conversation_id}/items`."""
        found = await self._find(request)
        given = read(ItemsCreate, await fields(request, self._ports.max_body_bytes))
        items = items_of(given.items, "items")
        who = caller(request)
        items = await self._ports.references.all_resolved(who, items)
        head = partial(self._ports.repository.ended_head, found)
        await self._ports.check.items(who, items, application(request.headers), head)
        added = await self._add(request, found, items)
        return answered(listed(added, has_more=False))

    async def items(self, request: Request) -> Response:
        """`GET /v1/conversations/{conversation_id}/items`."""
        page = paging(request.query_params)
        return answered(await self._ports.contents.page(await self._find(request), page))

    async def item(self, request: Request) -> Response:
        """`GET /v1/conversations/{conversation_id}/items/{item_id}`."""
        found = await self._find(request)
        return answered(await self._ports.contents.item(found, request.path_params["item_id"]))

    async def remove_item(self, request: Request) -> Response:
        """`DELETE /v1/conversations/{conversation_id}/items/{item_id}`: gives the conversation."""
        found = await self._find(request)
        item_id = request.path_params["item_id"]
        await self._ports.contents.remove(found, item_id, request_id(request))
        return answered(conversation_object(found.conversation))

    async def _add(
        self, request: Request, found: FoundConversation, items: list[Item]
    ) -> list[Item]:
        origin = self._ports.now_ms(), request_id(request)
        try:
            return await self._ports.contents.add(caller(request), found, items, origin)
        except TooLargeError as error:
            raise too_large(self._ports.max_body_bytes) from error

    async def _find(self, request: Request, *, deleted: bool = False) -> FoundConversation:
        about = conversation_id(request)
        found = await self._ports.repository.find(caller(request), about, deleted=deleted)
        await self._ports.acts.note_if_others(request, found.conversation.owner)
        return found

    async def _include_deleted(self, request: Request) -> bool:
        deleted = flag(request.query_params, "include_deleted")
        if deleted:
            await self._ports.acts.allow(request, "see_deleted", subject_id(request))
        return deleted
