"""The events of a stream. `event:` of each is its `type`; numbers count up from 0 without gaps."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from turnwire_contracts.json_values import JSON
from turnwire_gateway.openapi.schemas.items import OutputItem
from turnwire_gateway.openapi.schemas.parts import Index, OutputPart, SummaryText
from turnwire_gateway.openapi.schemas.response import Response

_Padding = Annotated[str, Meta(description="Hides the length of `delta`; see `stream_options`.")]


class _Event(Struct, frozen=True, tag_field="type"):
    sequence_number: Index


class _Whole(_Event, frozen=True):
    response: Response


class ResponseCreated(_Whole, frozen=True, tag="response.created"):
    """The first event of every stream."""


class ResponseQueued(_Whole, frozen=True, tag="response.queued"):
    """A background response waits for its turn."""


class ResponseInProgress(_Whole, frozen=True, tag="response.in_progress"):
    """The model is at work."""


class ResponseCompleted(_Whole, frozen=True, tag="response.completed"):
    """The end: all is said."""


class ResponseIncomplete(_Whole, frozen=True, tag="response.incomplete"):
    """The end: cut short, `incomplete_details` says why."""


class ResponseFailed(_Whole, frozen=True, tag="response.failed"):
    """The end: it failed or was cancelled, `status` says which."""


class _Item(_Event, frozen=True):
    output_index: Index
    item: OutputItem


class OutputItemAdded(_Item, frozen=True, tag="response.output_item.added"):
    """An item begins, with nothing in it yet."""


class OutputItemDone(_Item, frozen=True, tag="response.output_item.done"):
    """An item is finished; it is whole here."""


class _InItem(_Event, frozen=True):
    item_id: str
    output_index: Index


class _InPart(_InItem, frozen=True):
    content_index: Index


class _InSummary(_InItem, frozen=True):
    summary_index: Index


class ContentPartAdded(_InPart, frozen=True, tag="response.content_part.added"):
    """A part of an item begins."""

    part: OutputPart


class ContentPartDone(_InPart, frozen=True, tag="response.content_part.done"):
    """A part of an item is finished."""

    part: OutputPart


class OutputTextDelta(_InPart, frozen=True, tag="response.output_text.delta"):
    """More text."""

    delta: str
    logprobs: list[JSON]
    obfuscation: _Padding | UnsetType = UNSET


class OutputTextDone(_InPart, frozen=True, tag="response.output_text.done"):
    """All text of the part."""

    text: str
    logprobs: list[JSON]


class AnnotationAdded(_InPart, frozen=True, tag="response.output_text.annotation.added"):
    """A place in the text is explained, such as a citation."""

    annotation_index: Index
    annotation: JSON


class RefusalDelta(_InPart, frozen=True, tag="response.refusal.delta"):
    """More of a refusal."""

    delta: str
    obfuscation: _Padding | UnsetType = UNSET


class RefusalDone(_InPart, frozen=True, tag="response.refusal.done"):
    """All of a refusal."""

    refusal: str


class ReasoningTextDelta(_InPart, frozen=True, tag="response.reasoning_text.delta"):
    """More raw reasoning."""

    delta: str
    obfuscation: _Padding | UnsetType = UNSET


class ReasoningTextDone(_InPart, frozen=True, tag="response.reasoning_text.done"):
    """All raw reasoning of the part."""

    text: str


class SummaryPartAdded(_InSummary, frozen=True, tag="response.reasoning_summary_part.added"):
    """A part of a summary begins."""

    part: SummaryText


class SummaryPartDone(_InSummary, frozen=True, tag="response.reasoning_summary_part.done"):
    """A part of a summary is finished."""

    part: SummaryText


class SummaryTextDelta(_InSummary, frozen=True, tag="response.reasoning_summary_text.delta"):
    """More of a summary."""

    delta: str
    obfuscation: _Padding | UnsetType = UNSET


class SummaryTextDone(_InSummary, frozen=True, tag="response.reasoning_summary_text.done"):
    """All of a part of a summary."""

    text: str


class ArgumentsDelta(_InItem, frozen=True, tag="response.function_call_arguments.delta"):
    """More of a function's arguments."""

    delta: str
    obfuscation: _Padding | UnsetType = UNSET


class ArgumentsDone(_InItem, frozen=True, tag="response.function_call_arguments.done"):
    """All arguments of a function."""

    arguments: str
    name: str


class CustomInputDelta(_InItem, frozen=True, tag="response.custom_tool_call_input.delta"):
    """More input of a custom tool."""

    delta: str
    obfuscation: _Padding | UnsetType = UNSET


class CustomInputDone(_InItem, frozen=True, tag="response.custom_tool_call_input.done"):
    """All input of a custom tool."""

    input: str
    name: str


class McpArgumentsDelta(_InItem, frozen=True, tag="response.mcp_call_arguments.delta"):
    """More arguments of a call of an MCP tool."""

    delta: str
    obfuscation: _Padding | UnsetType = UNSET


class McpArgumentsDone(_InItem, frozen=True, tag="response.mcp_call_arguments.done"):
    """All arguments of a call of an MCP tool."""

    arguments: str


class McpCallInProgress(_InItem, frozen=True, tag="response.mcp_call.in_progress"):
    """A call of an MCP tool begins."""


class McpCallCompleted(_InItem, frozen=True, tag="response.mcp_call.completed"):
    """An MCP tool has answered."""


class McpCallFailed(_InItem, frozen=True, tag="response.mcp_call.failed"):
    """A call of an MCP tool failed; its item says why."""


class McpListInProgress(_InItem, frozen=True, tag="response.mcp_list_tools.in_progress"):
    """An MCP server is asked what it offers."""


class McpListCompleted(_InItem, frozen=True, tag="response.mcp_list_tools.completed"):
    """An MCP server has said what it offers."""


class StreamError(_Event, frozen=True, tag="error"):
    """The stream cannot go on; the response itself may, read it by its id."""

    code: str | None
    message: str
    param: str | None


STREAM_EVENTS: tuple[type[Struct], ...] = (
    ResponseCreated, ResponseQueued, ResponseInProgress,
    ResponseCompleted, ResponseIncomplete, ResponseFailed,
    OutputItemAdded, OutputItemDone, ContentPartAdded, ContentPartDone,
    OutputTextDelta, OutputTextDone, AnnotationAdded, RefusalDelta, RefusalDone,
    ReasoningTextDelta, ReasoningTextDone,
    SummaryPartAdded, SummaryPartDone, SummaryTextDelta, SummaryTextDone,
    ArgumentsDelta, ArgumentsDone, CustomInputDelta, CustomInputDone,
    McpListInProgress, McpListCompleted,
    McpCallInProgress, McpArgumentsDelta, McpArgumentsDone, McpCallCompleted, McpCallFailed,
    StreamError,
)  # fmt: skip
