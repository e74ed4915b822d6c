"""What the API answers beside responses and their events."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from turnwire_gateway.openapi.schemas.input_items import StoredItem
from turnwire_gateway.openapi.schemas.items import OutputItem
from turnwire_gateway.openapi.schemas.parts import Timestamp
from turnwire_gateway.openapi.schemas.response import Response, Usage


class Violation(Struct, frozen=True):
    """One rule of the guard's policy that the content broke."""

    category: str
    provider: str
    stage: str
    step: int
    reason: str | UnsetType = UNSET


class Error(Struct, frozen=True):
    """What went wrong: `code` is for programs, `message` for people."""

    message: str
    type: str
    param: Annotated[str | None, Meta(description="The field that is wrong, as `input[0].role`.")]
    code: str | None
    violations: Annotated[
        list[Violation] | UnsetType, Meta(description="Only with the code `content_filter`.")
    ] = UNSET


class ErrorEnvelope(Struct, frozen=True):
    """Every error is said like this, whatever went wrong."""

    error: Error


Deleted = Annotated[
    Literal[True] | UnsetType, Meta(description="Only where deleted things are shown.")
]


class CheckResult(Struct, frozen=True):
    """What the guard says of content."""

    safe: bool
    violations: Annotated[
        list[Violation], Meta(description="What the first stage that objects has found.")
    ]


class DeletedResponse(Struct, frozen=True):
    """The response is deleted, or there was none."""

    id: str
    object: Literal["response"]
    deleted: Literal[True]


class ItemList(Struct, frozen=True):
    """A page of items."""

    object: Literal["list"]
    data: list[StoredItem]
    first_id: str | None
    last_id: str | None
    has_more: bool


class InputTokens(Struct, frozen=True):
    """How many tokens an input is."""

    object: Literal["response.input_tokens"]
    input_tokens: Annotated[int, Meta(ge=0)]
    estimated: Annotated[bool, Meta(description="Whether no backend counted them.")]


class CompactedResponse(Struct, frozen=True):
    """A history made short: send `output` as the beginning of the next input."""

    id: str
    object: Literal["response.compaction"]
    created_at: Timestamp
    output: list[OutputItem]
    usage: Usage


class Conversation(Struct, frozen=True):
    """A conversation; its items are read on their own."""

    id: str
    object: Literal["conversation"]
    created_at: Timestamp
    metadata: dict[str, str]
    updated_at: Timestamp
    deleted: Deleted = UNSET


class ConversationList(Struct, frozen=True):
    """A page of conversations."""

    object: Literal["list"]
    data: list[Conversation]
    first_id: str | None
    last_id: str | None
    has_more: bool


class DeletedConversation(Struct, frozen=True):
    """The conversation is deleted, or there was none."""

    id: str
    object: Literal["conversation.deleted"]
    deleted: Literal[True]


class TreeResponse(Response, frozen=True, kw_only=True):
    """A response with its place in the tree that a conversation is."""

    ancestor_ids: Annotated[list[str], Meta(description="The oldest first, the parent last.")]
    depth: Annotated[int, Meta(ge=0, description="How many ancestors there are.")]
    request_input: Annotated[list[StoredItem], Meta(description="What this turn added as input.")]
    deleted: Deleted = UNSET


class ResponseTree(Struct, frozen=True):
    """A page of the responses of a conversation; branches lie beside each other."""

    object: Literal["list"]
    data: list[TreeResponse]
    first_id: str | None
    last_id: str | None
    has_more: bool


class Model(Struct, frozen=True):
    """A model as its backend describes it."""

    id: str
    object: str | UnsetType = UNSET


class ModelList(Struct, frozen=True):
    """What all backends serve."""

    object: Literal["list"]
    data: list[Model]


class PartHealth(Struct, frozen=True):
    """How one part is."""

    status: Literal["ok", "error"]
    detail: str | UnsetType = UNSET


class Health(Struct, frozen=True):
    """How the whole is, and each part of it."""

    status: Literal["ok", "error"]
    broker: PartHealth
    store: PartHealth
    backend: PartHealth


class About(Struct, frozen=True):
    """What this server is."""

    name: str
    api: str
    docs: str
    health: str


ANSWERS: tuple[type[Struct], ...] = (
    Response, ErrorEnvelope, DeletedResponse, ItemList, InputTokens, CompactedResponse,
    Conversation, ConversationList, DeletedConversation, ResponseTree, Model, ModelList,
    Health, About, CheckResult,
)  # fmt: skip
