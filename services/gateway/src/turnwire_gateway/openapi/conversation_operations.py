"""Operations on conversations and their items."""

from typing import Final

from turnwire_gateway.api.requests.input_shapes import ABSENT
from turnwire_gateway.api.requests.other_requests import (
    ConversationCreate,
    ConversationUpdate,
    ItemsCreate,
)
from turnwire_gateway.openapi import answers
from turnwire_gateway.openapi import parameters as given
from turnwire_gateway.openapi import route_errors as errors
from turnwire_gateway.openapi.items import StoredItem
from turnwire_gateway.openapi.operation import operation

_ONE: Final = "/v1/conversations/{conversation_id}"
_ITEM: Final = f"{_ONE}/items/{{item_id}}"


@operation(
    "POST /v1/conversations",
    answers.Conversation,
    *(
        *errors.BODY,
        *errors.GUARD,
        "item_not_found",
        "conversation_locked",
        *errors.STORE,
        *errors.LOG,
    ),
)
def create_conversation(
    body: ConversationCreate = ABSENT, application: given.Application = ABSENT
) -> None:
    """Begin a conversation."""


@operation("GET /v1/conversations", answers.ConversationList, *errors.ADMIN, *errors.STORE)
def list_conversations(
    *,
    limit: given.Limit = given.DEFAULT_LIMIT,
    offset: given.Offset = 0,
    order: given.Order = "desc",
    metadata: given.MetadataApplication = ABSENT,
    include_deleted: given.IncludeDeleted = False,
) -> None:
    """List conversations."""


@operation(f"GET {_ONE}", answers.Conversation, *errors.ADMIN, *errors.FOUND)
def retrieve_conversation(
    conversation_id: given.ConversationId, *, include_deleted: given.IncludeDeleted = False
) -> None:
    """Read a conversation."""


@operation(f"POST {_ONE}", answers.Conversation, *errors.BODY, *errors.FOUND, *errors.LOG)
def update_conversation(conversation_id: given.ConversationId, body: ConversationUpdate) -> None:
    """Change a conversation's metadata."""


@operation(
    f"DELETE {_ONE}",
    answers.DeletedConversation,
    *errors.ADMIN,
    "conversation_locked",
    *errors.STORE,
    *errors.LOG,
)
def delete_conversation(
    conversation_id: given.ConversationId, *, hard_delete: given.HardDelete = False
) -> None:
    """Delete a conversation and its responses.

    It can be recovered, unless `hard_delete` was said.
    """


@operation(
    f"PATCH {_ONE}",
    answers.Conversation,
    *(
        *errors.ADMIN,
        "missing_required_parameter",
        "conversation_locked",
        *errors.FOUND,
        *errors.LOG,
    ),
)
def recover_conversation(conversation_id: given.ConversationId, recover: given.Recover) -> None:
    """Recover a deleted conversation."""


@operation(f"GET {_ONE}/responses", answers.ResponseTree, *errors.ADMIN, *errors.FOUND)
def list_conversation_responses(
    conversation_id: given.ConversationId,
    *,
    limit: given.Limit = given.DEFAULT_LIMIT,
    order: given.Order = "asc",
    after: given.After = ABSENT,
    include_deleted: given.IncludeDeleted = False,
) -> None:
    """Read the tree of a conversation's responses."""


@operation(
    f"POST {_ONE}/items",
    answers.ItemList,
    *(
        *errors.BODY,
        *errors.GUARD,
        "item_not_found",
        "conversation_locked",
        *errors.FOUND,
        *errors.LOG,
    ),
    answers={200: "The items, each with its id."},
)
def create_items(
    conversation_id: given.ConversationId,
    body: ItemsCreate,
    include: given.Include = ABSENT,
    application: given.Application = ABSENT,
) -> None:
    """Add items without asking a model."""


@operation(f"GET {_ONE}/items", answers.ItemList, "invalid_value", *errors.FOUND)
def list_items(
    conversation_id: given.ConversationId,
    limit: given.Limit = given.DEFAULT_LIMIT,
    order: given.Order = "desc",
    after: given.After = ABSENT,
    include: given.Include = ABSENT,
) -> None:
    """List what was said."""


@operation(f"GET {_ITEM}", StoredItem, "item_not_found", *errors.FOUND)
def retrieve_item(
    conversation_id: given.ConversationId, item_id: given.ItemId, include: given.Include = ABSENT
) -> None:
    """Read an item."""


@operation(f"DELETE {_ITEM}", answers.Conversation, "item_not_found", *errors.FOUND, *errors.LOG)
def delete_item(conversation_id: given.ConversationId, item_id: given.ItemId) -> None:
    """Take an item out of a conversation."""
