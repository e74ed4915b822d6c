"""What the API answers beside responses and their events."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from turnwire_gateway.api.requests.input_shapes import ABSENT
from turnwire_gateway.openapi.items import OutputItem, StoredItem, Timestamp
from turnwire_gateway.openapi.response import Response, Usage


class Violation(BaseModel):
    """One rule of the guard's policy that the content broke."""

    category: str
    provider: str
    stage: str
    step: int
    reason: str = ABSENT


class Error(BaseModel):
    """What went wrong: `code` is for programs, `message` for people."""

    message: str
    type: str
    param: Annotated[str | None, Field(description="The field that is wrong, as `input[0].role`.")]
    code: str | None
    violations: Annotated[
        list[Violation], Field(description="Only with the code `content_filter`.")
    ] = ABSENT


class ErrorEnvelope(BaseModel):
    """Every error is said like this, whatever went wrong."""

    error: Error


Deleted = Annotated[Literal[True], Field(description="Only where deleted things are shown.")]


class CheckResult(BaseModel):
    """What the guard says of content."""

    safe: bool
    violations: Annotated[
        list[Violation], Field(description="What the first stage that objects has found.")
    ]


class DeletedResponse(BaseModel):
    """The response is deleted, or there was none."""

    id: str
    object: Literal["response"]
    deleted: Literal[True]


class PageBounds(BaseModel):
    """Where a page of a list begins and ends."""

    object: Literal["list"]
    first_id: str | None
    last_id: str | None
    has_more: bool


class ItemList(PageBounds):
    """A page of items."""

    data: list[StoredItem]


class LoggedEvent(BaseModel):
    """One fact about a turn, as the event log has it."""

    object: Literal["response.event"]
    sequence: Annotated[int, Field(description="Its place in the log; it grows with time.")]
    type: Annotated[str, Field(description="Its kind, as `requested`, `tool_called`, `closed`.")]
    version: Annotated[int, Field(description="The version of its kind.")]
    created_at: Annotated[float, Field(description="Unix seconds, with milliseconds.")]
    cause: Annotated[str, Field(description="The request or the event that led to it.")]
    data: Annotated[dict[str, Any], Field(description="What it says, by its kind.")]


class LoggedEventList(BaseModel):
    """A page of the events of a turn, the oldest first."""

    object: Literal["list"]
    data: list[LoggedEvent]
    last_sequence: Annotated[int, Field(description="What the next page comes `after`.")]
    has_more: bool


class InputTokens(BaseModel):
    """How many tokens an input is."""

    object: Literal["response.input_tokens"]
    input_tokens: Annotated[int, Field(ge=0)]
    estimated: Annotated[bool, Field(description="Whether no backend counted them.")]


class CompactedResponse(BaseModel):
    """A history made short: send `output` as the beginning of the next input."""

    id: str
    object: Literal["response.compaction"]
    created_at: Timestamp
    output: list[OutputItem]
    usage: Usage


class Conversation(BaseModel):
    """A conversation; its items are read on their own."""

    id: str
    object: Literal["conversation"]
    created_at: Timestamp
    metadata: dict[str, str]
    updated_at: Timestamp
    deleted: Deleted = ABSENT


class ConversationList(PageBounds):
    """A page of conversations."""

    data: list[Conversation]


class DeletedConversation(BaseModel):
    """The conversation is deleted, or there was none."""

    id: str
    object: Literal["conversation.deleted"]
    deleted: Literal[True]


class TreeResponse(Response):
    """A response with its place in the tree that a conversation is."""

    ancestor_ids: Annotated[list[str], Field(description="The oldest first, the parent last.")]
    depth: Annotated[int, Field(ge=0, description="How many ancestors there are.")]
    request_input: Annotated[list[StoredItem], Field(description="What this turn added as input.")]
    deleted: Deleted = ABSENT


class ResponseTree(PageBounds):
    """A page of the responses of a conversation; branches lie beside each other."""

    data: list[TreeResponse]


class Model(BaseModel):
    """A model as its backend describes it."""

    id: str
    object: str = ABSENT


class ModelList(BaseModel):
    """What all backends serve."""

    object: Literal["list"]
    data: list[Model]


class PartHealth(BaseModel):
    """How one part is."""

    status: Literal["ok", "error"]
    detail: str = ABSENT


class Health(BaseModel):
    """How the whole is, and each part of it."""

    status: Literal["ok", "error"]
    broker: PartHealth
    store: PartHealth
    backend: PartHealth


class About(BaseModel):
    """What this server is."""

    name: str
    api: str
    docs: str
    health: str
