"""Output items as types: what a model says, item by item, and the parts of content in them."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, RootModel

from turnwire_contracts.json_values import JSON
from turnwire_gateway.api.requests.input_shapes import ABSENT, ContentPart, none_of

Index = Annotated[int, Field(ge=0)]
"""A place in a list, from 0 on."""

Timestamp = Annotated[int, Field(ge=0, description="Unix time in seconds.")]
Progress = Literal["in_progress", "completed", "incomplete"]
ItemId = Annotated[str, Field(description="Minted here; a backend's own ids are dropped.")]


class OutputText(BaseModel):
    """Text that the model wrote."""

    type: Literal["output_text"]
    text: str
    annotations: list[JSON]
    logprobs: list[JSON] = ABSENT


class RefusalPart(BaseModel):
    """What the model said instead of an answer."""

    type: Literal["refusal"]
    refusal: str


class ReasoningText(BaseModel):
    """Raw reasoning."""

    type: Literal["reasoning_text"]
    text: str


class SummaryText(BaseModel):
    """A summary of reasoning."""

    type: Literal["summary_text"]
    text: str


OutputPart = Annotated[OutputText | RefusalPart | ReasoningText, Field(discriminator="type")]


class _OutputItem(BaseModel):
    id: ItemId


class OutputMessage(_OutputItem):
    """Text, refusals, annotations, logprobs; streamed."""

    type: Literal["message"]
    role: Literal["assistant"]
    status: Progress
    content: list[OutputPart]
    phase: str = ABSENT


class Reasoning(_OutputItem):
    """Raw text and summaries, streamed; encrypted content."""

    type: Literal["reasoning"]
    summary: list[SummaryText]
    content: list[ReasoningText] = ABSENT
    encrypted_content: str | None = ABSENT
    status: Progress = ABSENT


class FunctionCall(_OutputItem):
    """A call that the client makes; it answers with a `function_call_output`. Arguments stream."""

    type: Literal["function_call"]
    call_id: str
    name: str
    arguments: Annotated[str, Field(description="JSON, as the model wrote it; it may be invalid.")]
    status: Progress
    namespace: str = ABSENT


class CustomToolCall(_OutputItem):
    """A call with free-form input, which streams; its answer is a `custom_tool_call_output`."""

    type: Literal["custom_tool_call"]
    call_id: str
    name: str
    input: str
    status: Progress = ABSENT
    namespace: str = ABSENT


class McpListTools(_OutputItem):
    """What an MCP server offers; once in a chain."""

    type: Literal["mcp_list_tools"]
    server_label: str
    tools: list[JSON]
    error: str | None = ABSENT


class McpCall(_OutputItem):
    """A call of an MCP tool, made here; arguments stream, it ends with its output or its error."""

    type: Literal["mcp_call"]
    server_label: str
    name: str
    arguments: str
    status: Literal["in_progress", "completed", "incomplete", "calling", "failed"]
    output: str | None = ABSENT
    error: Annotated[JSON | None, Field(description="Of one of OpenAI's three types.")] = ABSENT
    approval_request_id: str | None = ABSENT


class McpApprovalRequest(_OutputItem):
    """A call that is made when a later response brings an `mcp_approval_response`."""

    type: Literal["mcp_approval_request"]
    server_label: str
    name: str
    arguments: str


class Compaction(_OutputItem):
    """A history made short by `POST /v1/responses/compact`; send it in place of its items."""

    type: Literal["compaction"]
    encrypted_content: str


OUTPUT_ITEMS: tuple[type[BaseModel], ...] = (
    OutputMessage,
    Reasoning,
    FunctionCall,
    CustomToolCall,
    McpListTools,
    McpCall,
    McpApprovalRequest,
    Compaction,
)


class OtherOutputItem(BaseModel):
    """An item of a tool that the backend runs, as the backend says it."""

    type: Annotated[str, none_of(OUTPUT_ITEMS)]


class OutputItem(
    RootModel[
        OutputMessage
        | Reasoning
        | FunctionCall
        | CustomToolCall
        | McpListTools
        | McpCall
        | McpApprovalRequest
        | Compaction
        | OtherOutputItem
    ]
):
    """What a model says; an item of a tool that the backend runs comes whole."""


class StoredItem(BaseModel):
    """An item as it was sent or said, with its id."""

    id: str
    type: str
    role: str = ABSENT
    content: str | list[ContentPart] = ABSENT
    status: str = ABSENT
