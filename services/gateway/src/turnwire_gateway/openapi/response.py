"""The response object: OpenAI's `Response`, with all that Open Responses requires."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, create_model

from turnwire_contracts.json_values import JSON
from turnwire_contracts.request_fields import REQUEST_FIELDS, RequestField
from turnwire_gateway.api.requests.input_shapes import ABSENT
from turnwire_gateway.openapi.items import OutputItem, Timestamp


class InputTokensDetails(BaseModel):
    """What the input cost less by a cache, or more for filling it."""

    cached_tokens: int
    cache_write_tokens: int


class OutputTokensDetails(BaseModel):
    """What was withheld of the output."""

    reasoning_tokens: int


class Usage(BaseModel):
    """Tokens as the backend counted them."""

    input_tokens: int
    input_tokens_details: InputTokensDetails
    output_tokens: int
    output_tokens_details: OutputTokensDetails
    total_tokens: int


class ResponseError(BaseModel):
    """Why a response failed."""

    code: str
    message: str
    type: str = ABSENT


class ForkedFrom(BaseModel):
    """The response that this one continues, and from which of its events on."""

    response_id: str
    at: Annotated[int, Field(description="The `sequence` of that event in the log.")]


class IncompleteDetails(BaseModel):
    """Why a response ends early: `max_output_tokens`, `content_filter`, or the backend's word."""

    reason: str


class ConversationRef(BaseModel):
    """The conversation that the response belongs to."""

    id: str


Status = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]


class _Made(BaseModel):
    """What the response says beyond the fields that it only echoes."""

    id: Annotated[str, Field(description="Stable from the first moment, background or not.")]
    object: Literal["response"]
    created_at: Timestamp
    completed_at: Timestamp | None
    status: Status
    background: bool
    error: ResponseError | None
    incomplete_details: IncompleteDetails | None
    instructions: Annotated[
        str | None, Field(description="What the model was told, inherited or given.")
    ]
    model: str
    output: list[OutputItem]
    previous_response_id: str | None
    reasoning: JSON | None
    store: bool
    text: JSON
    tools: list[JSON]
    tool_choice: str | JSON
    usage: Usage | None
    metadata: dict[str, str]
    max_output_tokens: int | None
    conversation: ConversationRef | None = ABSENT
    prompt: JSON | None = ABSENT
    forked_from: ForkedFrom = ABSENT
    rerun_of: Annotated[str, Field(description="The response whose request it repeats.")] = ABSENT


def _echoed(field: RequestField) -> Any:
    return field.type if field.echo is not None else field.type | None


_ECHOED: dict[str, Any] = {
    each.name: (_echoed(each), ...)
    for each in REQUEST_FIELDS
    if each.is_echoed and each.type is not None
}
"""The fields of a request that the response says as they were sent, or with their default."""


class Response(create_model("Echoed", __base__=_Made, **_ECHOED)):
    """One response: what was asked, and what came of it."""
