"""Input items and tools as types, for the OpenAPI document: as strict as the code, no stricter.

Functions check them (`input_items.py`, `functions.py`, `mcp_tools.py`), so that one wrong item is
refused with its place and in words of its own.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, RootModel, WithJsonSchema

from turnwire_contracts.json_values import JSON

Name = Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,64}$")]
_Nested = Annotated[Any, Field(description="What chat completions nest.")]
_SECRET: JSON = {"writeOnly": True}
ABSENT: Any = None
"""The default of a field that may be missing; if it is there, it is what its type says."""


def kinds_of(shapes: Iterable[type[BaseModel]]) -> list[str]:
    """Give the values that `type` can have in some shapes, in order."""
    return [kind for shape in shapes for kind in _texts(shape.model_fields["type"].annotation)]


def _texts(kind: Any) -> list[str]:
    if isinstance(kind, str):
        return [kind]
    return [text for each in get_args(kind) for text in _texts(each)]


def none_of(shapes: Iterable[type[BaseModel]], *, or_empty: bool = False) -> WithJsonSchema:
    """Describe a `type` that is none of those of some shapes, nor, with `or_empty`, empty."""
    others = [*kinds_of(shapes), *([""] if or_empty else [])]
    return WithJsonSchema({"type": "string", "not": {"enum": others}})


class ContentPart(BaseModel):
    """A part of a message: `input_text`, `input_image`, `input_file`, or any other kind."""

    type: str
    text: Annotated[Any, Field(description="The text, in parts that are text.")] = None


_Content = str | list[ContentPart]


class InputMessage(BaseModel):
    """A message, with or without `type`, or as chat completions write it."""

    role: Literal["user", "assistant", "system", "developer"]
    content: _Content
    type: Literal["message"] | None = None


class InputFunctionCall(BaseModel):
    """A call that the model made before."""

    type: Literal["function_call"]
    call_id: str
    name: str
    arguments: str


class FunctionCallOutput(BaseModel):
    """What a function gave."""

    type: Literal["function_call_output"]
    call_id: str
    output: _Content


class CustomToolCallOutput(BaseModel):
    """What a custom tool gave."""

    type: Literal["custom_tool_call_output"]
    call_id: str
    output: _Content


class _OfMcp(BaseModel):
    id: str
    server_label: str
    name: str
    arguments: str


class InputMcpCall(_OfMcp):
    """An earlier call of an MCP tool; the model sees it as a function's call with its output."""

    type: Literal["mcp_call"]


class InputMcpApprovalRequest(_OfMcp):
    """A call that was to be approved: what an answer in the same input is for."""

    type: Literal["mcp_approval_request"]


class McpApprovalResponse(BaseModel):
    """Whether a call of an MCP tool may be made."""

    type: Literal["mcp_approval_response"]
    approval_request_id: str
    approve: bool
    reason: str | None = None


class ItemReference(BaseModel):
    """A stored item, which stands in its place; `type` may be left out."""

    id: str
    type: Literal["item_reference"] | None = None


INPUT_ITEMS: tuple[type[BaseModel], ...] = (
    InputMessage,
    InputFunctionCall,
    FunctionCallOutput,
    CustomToolCallOutput,
    InputMcpCall,
    InputMcpApprovalRequest,
    McpApprovalResponse,
    ItemReference,
)


class OtherInputItem(BaseModel):
    """An item of any other type: it is kept, and what the backend knows reaches it."""

    type: Annotated[str, none_of(INPUT_ITEMS)]


class InputItem(
    RootModel[
        InputMessage
        | InputFunctionCall
        | FunctionCallOutput
        | CustomToolCallOutput
        | InputMcpCall
        | InputMcpApprovalRequest
        | McpApprovalResponse
        | ItemReference
        | OtherInputItem
    ]
):
    """What the model is told; items of unknown types reach the backend whole."""


Items = Annotated[list[InputItem], Field(min_length=1)]
Input = Annotated[
    Annotated[str, Field(min_length=1)] | Items | None,
    Field(examples=["What is an event log good for?"]),
]


class Named(BaseModel):
    """An object that has a `type`."""

    type: Annotated[str, Field(min_length=1)]


class ClientToolParam(BaseModel):
    """A tool that the client runs, flat or as chat completions nest it."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [{"required": [each]} for each in ("name", "function", "custom")]
        }
    )

    type: Literal["function", "custom"]
    name: Name = ABSENT
    description: str | None = None
    parameters: JSON | None = None
    strict: bool | None = None
    format: JSON | None = None
    function: _Nested = None
    custom: _Nested = None


class ToolOfNamespace(ClientToolParam):
    """A tool that the client runs, under a name that the namespace qualifies."""

    name: Annotated[str, Field(min_length=1)] = ABSENT


class OtherToolOfNamespace(BaseModel):
    """Any other tool of a namespace."""

    type: Annotated[str, none_of((ClientToolParam,), or_empty=True)]


class Namespace(BaseModel):
    """Tools under qualified names."""

    type: Literal["namespace"]
    name: Annotated[str, Field(min_length=1)] | None = None
    description: str | None = None
    tools: list[ToolOfNamespace | OtherToolOfNamespace] | None = None


class McpServer(BaseModel):
    """Tools of an MCP server, which Turnwire calls."""

    type: Literal["mcp"]
    server_label: Name
    server_url: Annotated[str, Field(max_length=2048)] | None = None
    server_description: str | None = None
    authorization: Annotated[str | None, Field(json_schema_extra=_SECRET)] = None
    headers: Annotated[dict[str, str] | None, Field(json_schema_extra=_SECRET)] = None
    allowed_tools: list[Any] | JSON | None = None
    require_approval: str | JSON | None = None


class OtherTool(BaseModel):
    """A tool that the backend knows or not."""

    type: Annotated[str, none_of((ClientToolParam, Namespace, McpServer), or_empty=True)]


class ToolParam(RootModel[ClientToolParam | Namespace | McpServer | OtherTool]):
    """Functions and custom tools of the client, servers of tools, or a tool of the backend."""
