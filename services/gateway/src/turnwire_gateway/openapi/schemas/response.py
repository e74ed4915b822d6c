"""The response object: OpenAI's `Response`, with all that Open Responses requires."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from turnwire_contracts.json_values import JSON
from turnwire_gateway.openapi.schemas.items import OutputItem
from turnwire_gateway.openapi.schemas.parts import Timestamp


class InputTokensDetails(Struct, frozen=True):
    """What the input cost less by a cache, or more for filling it."""

    cached_tokens: int
    cache_write_tokens: int


class OutputTokensDetails(Struct, frozen=True):
    """What of the output nobody sees."""

    reasoning_tokens: int


class Usage(Struct, frozen=True):
    """Tokens as the backend counted them."""

    input_tokens: int
    input_tokens_details: InputTokensDetails
    output_tokens: int
    output_tokens_details: OutputTokensDetails
    total_tokens: int


class ResponseError(Struct, frozen=True):
    """Why a response failed."""

    code: str
    message: str
    type: str | UnsetType = UNSET


class IncompleteDetails(Struct, frozen=True):
    """Why a response ends early: `max_output_tokens`, `content_filter`, or the backend's word."""

    reason: str


class ConversationRef(Struct, frozen=True):
    """The conversation that the response belongs to."""

    id: str


Status = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]


class Response(Struct, frozen=True):
    """One response: what was asked, and what came of it."""

    id: Annotated[str, Meta(description="Stable from the first moment, background or not.")]
    object: Literal["response"]
    created_at: Timestamp
    completed_at: Timestamp | None
    status: Status
    background: bool
    error: ResponseError | None
    incomplete_details: IncompleteDetails | None
    instructions: Annotated[
        str | None, Meta(description="What the model was told, inherited or given.")
    ]
    model: str
    output: list[OutputItem]
    previous_response_id: str | None
    reasoning: JSON | None
    store: bool
    text: JSON
    tools: list[JSON]
    tool_choice: str | JSON
    truncation: Literal["auto", "disabled"]
    usage: Usage | None
    metadata: dict[str, str]
    temperature: float
    top_p: float
    presence_penalty: float
    frequency_penalty: float
    top_logprobs: int
    max_output_tokens: int | None
    max_tool_calls: int | None
    parallel_tool_calls: bool
    service_tier: str
    safety_identifier: str | None
    prompt_cache_key: str | None
    user: str | UnsetType | None = UNSET
    conversation: ConversationRef | UnsetType | None = UNSET
    prompt: dict[str, Any] | UnsetType | None = UNSET
