"""Input items: what a client may send as `input`, as strict as the code is and no stricter."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from turnwire_gateway.openapi.schemas.parts import ContentPart

_Content = str | list[ContentPart]


class InputMessage(Struct, frozen=True):
    """A message; `type` may be left out."""

    role: Literal["user", "assistant", "system", "developer"]
    content: _Content
    type: Literal["message"] | UnsetType | None = UNSET


class InputFunctionCall(Struct, frozen=True):
    """A call that the model made before."""

    type: Literal["function_call"]
    call_id: str
    name: str
    arguments: str


class FunctionCallOutput(Struct, frozen=True):
    """What a function gave."""

    type: Literal["function_call_output"]
    call_id: str
    output: _Content


class CustomToolCallOutput(Struct, frozen=True):
    """What a custom tool gave."""

    type: Literal["custom_tool_call_output"]
    call_id: str
    output: _Content


class InputMcpCall(Struct, frozen=True):
    """A call of an MCP tool, or a question whether it may be made, from an earlier response."""

    type: Literal["mcp_call", "mcp_approval_request"]
    id: str
    server_label: str
    name: str
    arguments: str


class McpApprovalResponse(Struct, frozen=True):
    """Whether a call of an MCP tool may be made."""

    type: Literal["mcp_approval_response"]
    approval_request_id: str
    approve: bool
    reason: str | UnsetType | None = UNSET


class ItemReference(Struct, frozen=True):
    """An item that is stored already, by its id; `type` may be left out."""

    id: str
    type: Literal["item_reference"] | UnsetType | None = UNSET


INPUT_ITEMS: tuple[type[Struct], ...] = (
    InputMessage,
    InputFunctionCall,
    FunctionCallOutput,
    CustomToolCallOutput,
    InputMcpCall,
    McpApprovalResponse,
    ItemReference,
)

StoredItem = Annotated[
    dict[str, Any], Meta(extra_json_schema={"$ref": "#/components/schemas/StoredItem"})
]
"""An item of a stored response or of a conversation."""
