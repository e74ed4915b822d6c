"""Operations on conversations and their items."""

from turnwire_gateway.openapi.operations.operation import BODY_ERRORS, Answer, Body, Operation
from turnwire_gateway.openapi.operations.parameters import (
    AFTER,
    APPLICATION,
    CONVERSATION_ID,
    HARD_DELETE,
    INCLUDE,
    INCLUDE_DELETED,
    ITEM_ID,
    RECOVER,
    in_query,
    limit,
    order,
)

_TAG = "Conversations"
_PATH = "/v1/conversations"
_ONE = f"{_PATH}/{{conversation_id}}"
_ITEMS = f"{_ONE}/items"
_FOUND = ("conversation_not_found", "store_unavailable")
_CHANGES = (*_FOUND, "event_log_unavailable")
_ADMIN = ("invalid_value", "admin_required", "audit_log_unavailable")
_GUARD = ("content_filter", "guard_unavailable")
_CONVERSATION = Answer(200, "Conversation", "The conversation.")

CONVERSATIONS: tuple[Operation, ...] = (
    Operation(
        id="createConversation",
        method="post",
        path=_PATH,
        tag=_TAG,
        summary="Begin a conversation.",
        parameters=(APPLICATION,),
        body=Body("ConversationCreate", required=False),
        answers=(_CONVERSATION,),
        errors=(
            *BODY_ERRORS,
            *_GUARD,
            "item_not_found",
            "conversation_locked",
            "store_unavailable",
            "event_log_unavailable",
        ),
    ),
    Operation(
        id="listConversations",
        method="get",
        path=_PATH,
        tag=_TAG,
        summary="List conversations.",
        parameters=(
            limit(),
            in_query(
                "offset",
                {"type": "integer", "minimum": 0, "maximum": 100_000, "default": 0},
                "How many to leave out first.",
            ),
            order("desc"),
            in_query(
                "metadata.application",
                {"type": "string"},
                "Only those whose metadata say so; any other key works the same way.",
            ),
            INCLUDE_DELETED,
        ),
        answers=(Answer(200, "ConversationList", "A page of conversations."),),
        errors=(*_ADMIN, "store_unavailable"),
    ),
    Operation(
        id="retrieveConversation",
        method="get",
        path=_ONE,
        tag=_TAG,
        summary="Read a conversation.",
        parameters=(CONVERSATION_ID, INCLUDE_DELETED),
        answers=(_CONVERSATION,),
        errors=(*_ADMIN, *_FOUND),
    ),
    Operation(
        id="updateConversation",
        method="post",
        path=_ONE,
        tag=_TAG,
        summary="Change a conversation's metadata.",
        parameters=(CONVERSATION_ID,),
        body=Body("ConversationUpdate"),
        answers=(_CONVERSATION,),
        errors=(*BODY_ERRORS, *_CHANGES),
    ),
    Operation(
        id="deleteConversation",
        method="delete",
        path=_ONE,
        tag=_TAG,
        summary="Delete a conversation and its responses.",
        description="It can be recovered, unless `hard_delete` was said.",
        parameters=(CONVERSATION_ID, HARD_DELETE),
        answers=(Answer(200, "DeletedConversation", "It is deleted, or there was none."),),
        errors=(*_ADMIN, "conversation_locked", "store_unavailable", "event_log_unavailable"),
    ),
    Operation(
        id="recoverConversation",
        method="patch",
        path=_ONE,
        tag=_TAG,
        summary="Recover a deleted conversation.",
        parameters=(CONVERSATION_ID, RECOVER),
        answers=(_CONVERSATION,),
        errors=(*_ADMIN, "missing_required_parameter", "conversation_locked", *_CHANGES),
    ),
    Operation(
        id="listConversationResponses",
        method="get",
        path=f"{_ONE}/responses",
        tag=_TAG,
        summary="Read the tree of a conversation's responses.",
        parameters=(CONVERSATION_ID, limit(), order("asc"), AFTER, INCLUDE_DELETED),
        answers=(Answer(200, "ResponseTree", "A page of responses, each with its place."),),
        errors=(*_ADMIN, *_FOUND),
    ),
)

ITEMS: tuple[Operation, ...] = (
    Operation(
        id="createItems",
        method="post",
        path=_ITEMS,
        tag=_TAG,
        summary="Add items without asking a model.",
        parameters=(CONVERSATION_ID, INCLUDE, APPLICATION),
        body=Body("ItemsCreate"),
        answers=(Answer(200, "ItemList", "The items, each with its id."),),
        errors=(*BODY_ERRORS, *_GUARD, "item_not_found", "conversation_locked", *_CHANGES),
    ),
    Operation(
        id="listItems",
        method="get",
        path=_ITEMS,
        tag=_TAG,
        summary="List what was said.",
        parameters=(CONVERSATION_ID, limit(), order("desc"), AFTER, INCLUDE),
        answers=(Answer(200, "ItemList", "A page of items."),),
        errors=("invalid_value", *_FOUND),
    ),
    Operation(
        id="retrieveItem",
        method="get",
        path=f"{_ITEMS}/{{item_id}}",
        tag=_TAG,
        summary="Read an item.",
        parameters=(CONVERSATION_ID, ITEM_ID, INCLUDE),
        answers=(Answer(200, "StoredItem", "The item."),),
        errors=("item_not_found", *_FOUND),
    ),
    Operation(
        id="deleteItem",
        method="delete",
        path=f"{_ITEMS}/{{item_id}}",
        tag=_TAG,
        summary="Take an item out of a conversation.",
        parameters=(CONVERSATION_ID, ITEM_ID),
        answers=(_CONVERSATION,),
        errors=("item_not_found", *_CHANGES),
    ),
)
