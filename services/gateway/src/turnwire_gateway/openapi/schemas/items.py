"""Output items: what a model says, item by item."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from turnwire_gateway.openapi.schemas.parts import (
    OutputText,
    ReasoningText,
    RefusalPart,
    SummaryText,
)

Progress = Literal["in_progress", "completed", "incomplete"]
ItemId = Annotated[str, Meta(description="Minted here; a backend's own ids are dropped.")]


class OutputMessage(Struct, frozen=True, tag="message"):
    """A message of the model."""

    id: ItemId
    role: Literal["assistant"]
    status: Progress
    content: list[OutputText | RefusalPart | ReasoningText]
    phase: str | UnsetType = UNSET


class Reasoning(Struct, frozen=True, tag="reasoning"):
    """How the model got to what it says next."""

    id: ItemId
    summary: list[SummaryText]
    content: list[ReasoningText] | UnsetType = UNSET
    encrypted_content: str | UnsetType | None = UNSET
    status: Progress | UnsetType = UNSET


class FunctionCall(Struct, frozen=True, tag="function_call"):
    """A call that the client is to make; it answers with a `function_call_output`."""

    id: ItemId
    call_id: str
    name: str
    arguments: Annotated[str, Meta(description="JSON, as the model wrote it; it may be invalid.")]
    status: Progress
    namespace: str | UnsetType = UNSET


class CustomToolCall(Struct, frozen=True, tag="custom_tool_call"):
    """A call with free-form input; the client answers with a `custom_tool_call_output`."""

    id: ItemId
    call_id: str
    name: str
    input: str
    status: Progress | UnsetType = UNSET
    namespace: str | UnsetType = UNSET


class Compaction(Struct, frozen=True, tag="compaction"):
    """A history made short; send it as input in place of the items that it stands for."""

    id: ItemId
    encrypted_content: str


class McpListTools(Struct, frozen=True, tag="mcp_list_tools"):
    """What an MCP server offers."""

    id: ItemId
    server_label: str
    tools: list[dict[str, Any]]
    error: str | UnsetType | None = UNSET


class McpCall(Struct, frozen=True, tag="mcp_call"):
    """A call of an MCP tool, made here; `error` has one of OpenAI's three types."""

    id: ItemId
    server_label: str
    name: str
    arguments: str
    status: Literal["in_progress", "completed", "incomplete", "calling", "failed"]
    output: str | UnsetType | None = UNSET
    error: dict[str, Any] | UnsetType | None = UNSET
    approval_request_id: str | UnsetType | None = UNSET


class McpApprovalRequest(Struct, frozen=True, tag="mcp_approval_request"):
    """A call that is made when a later response brings an `mcp_approval_response`."""

    id: ItemId
    server_label: str
    name: str
    arguments: str


OUTPUT_ITEMS: tuple[type[Struct], ...] = (
    OutputMessage,
    Reasoning,
    FunctionCall,
    CustomToolCall,
    McpListTools,
    McpCall,
    McpApprovalRequest,
    Compaction,
)

OutputItem = Annotated[
    dict[str, Any], Meta(extra_json_schema={"$ref": "#/components/schemas/OutputItem"})
]
"""One of `OUTPUT_ITEMS`, or an item of a tool that the backend runs, as the backend says it."""
