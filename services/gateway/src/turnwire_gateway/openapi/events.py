"""The events of a stream, a row for each (`event:` is its type), and those of webhooks."""

import re
from typing import Annotated, Any, Final, Literal, Union

from pydantic import BaseModel, Field, RootModel, create_model

from turnwire_contracts.json_values import JSON
from turnwire_contracts.webhooks.subscription import WebhookEventType
from turnwire_gateway.api.requests.input_shapes import ABSENT
from turnwire_gateway.openapi.items import Index, OutputItem, OutputPart, SummaryText
from turnwire_gateway.openapi.response import Response

_Padding = Annotated[str, Field(description="Hides the length of `delta`; see `stream_options`.")]
_DELTA: Final[dict[str, Any]] = {"delta": str, "obfuscation": (_Padding, ABSENT)}


class _Event(BaseModel):
    sequence_number: Index


class _Whole(_Event):
    response: Response


class _Item(_Event):
    output_index: Index
    item: OutputItem


class _InItem(_Event):
    item_id: str
    output_index: Index


class _InPart(_InItem):
    content_index: Index


class _InSummary(_InItem):
    summary_index: Index


def _event(base: type[_Event], kind: str, about: str, **fields: Any) -> type[BaseModel]:
    """Make the type of an event; it is named as in OpenAI's SDK: `ResponseCreatedEvent`."""
    name = "".join(word.capitalize() for word in re.split(r"[._]", kind)) + "Event"
    fields["type"] = (Literal[kind], ...)
    return create_model(name, __base__=base, __doc__=about, **fields)


_PART: Final[JSON] = {"part": OutputPart}
_SUMMARY: Final[JSON] = {"part": SummaryText}

_WHOLES: Final = {
    "response.created": "The first event of every stream.",
    "response.queued": "A background response waits for its turn.",
    "response.in_progress": "The model is at work.",
    "response.completed": "The end: all is said.",
    "response.incomplete": "The end: cut short, `incomplete_details` says why.",
    "response.failed": "The end: it failed or was cancelled, `status` says which.",
}
_ITEMS: Final = {
    "response.output_item.added": "An item begins, with nothing in it yet.",
    "response.output_item.done": "An item is finished; it is whole here.",
}
_IN_PARTS: Final[dict[str, tuple[str, JSON]]] = {
    "response.content_part.added": ("A part of a message or of raw reasoning begins.", _PART),
    "response.content_part.done": ("A part of a message or of raw reasoning is finished.", _PART),
    "response.output_text.delta": (
        "More text, with logprobs, if asked for.",
        {**_DELTA, "logprobs": list[JSON]},
    ),
    "response.output_text.done": (
        "All text of the part, with logprobs, if asked for.",
        {"text": str, "logprobs": list[JSON]},
    ),
    "response.output_text.annotation.added": (
        "A place in the text is explained, such as a citation; before the text is done.",
        {"annotation_index": Index, "annotation": JSON},
    ),
    "response.refusal.delta": ("More of what the model says instead.", _DELTA),
    "response.refusal.done": ("All that the model says instead.", {"refusal": str}),
    "response.reasoning_text.delta": (
        "More raw reasoning; `response.reasoning.delta` in Open Responses.",
        _DELTA,
    ),
    "response.reasoning_text.done": (
        "All raw reasoning of the part; `response.reasoning.done` in Open Responses.",
        {"text": str},
    ),
}
_IN_SUMMARIES: Final[dict[str, tuple[str, JSON]]] = {
    "response.reasoning_summary_part.added": ("A part of a summary begins.", _SUMMARY),
    "response.reasoning_summary_part.done": ("A part of a summary is finished.", _SUMMARY),
    "response.reasoning_summary_text.delta": ("More of a summary of reasoning.", _DELTA),
    "response.reasoning_summary_text.done": ("All of a part of a summary.", {"text": str}),
}
_IN_ITEMS: Final[dict[str, tuple[str, JSON]]] = {
    "response.function_call_arguments.delta": ("More of a function's arguments.", _DELTA),
    "response.function_call_arguments.done": (
        "All arguments of a function, with its name.",
        {"arguments": str, "name": str},
    ),
    "response.custom_tool_call_input.delta": ("More input of a custom tool.", _DELTA),
    "response.custom_tool_call_input.done": (
        "All input of a custom tool, with its name.",
        {"input": str, "name": str},
    ),
    "response.mcp_list_tools.in_progress": ("An MCP server is asked what it offers.", {}),
    "response.mcp_list_tools.completed": ("An MCP server has said what it offers.", {}),
    "response.mcp_call.in_progress": ("A call of an MCP tool begins.", {}),
    "response.mcp_call_arguments.delta": ("More arguments of a call of an MCP tool.", _DELTA),
    "response.mcp_call_arguments.done": (
        "All arguments of a call of an MCP tool.",
        {"arguments": str},
    ),
    "response.mcp_call.completed": ("An MCP tool has answered.", {}),
    "response.mcp_call.failed": ("A call of an MCP tool failed; its item says why.", {}),
}

STREAM_EVENTS: Final = (
    *(_event(_Whole, kind, about) for kind, about in _WHOLES.items()),
    *(_event(_Item, kind, about) for kind, about in _ITEMS.items()),
    *(_event(_InPart, kind, about, **more) for kind, (about, more) in _IN_PARTS.items()),
    *(_event(_InSummary, kind, about, **more) for kind, (about, more) in _IN_SUMMARIES.items()),
    *(_event(_InItem, kind, about, **more) for kind, (about, more) in _IN_ITEMS.items()),
    _event(
        _Event,
        "error",
        "The stream cannot go on; the response itself may, read it by its id.",
        code=str | None,
        message=str,
        param=str | None,
    ),
)

_ANY: Any = Annotated[Union[STREAM_EVENTS], Field(discriminator="type")]  # noqa: UP007 -- of a tuple

StreamEvent = create_model(
    "StreamEvent",
    __base__=RootModel[_ANY],
    __doc__="The `data` of one server-sent event; its `event` is the same as its type.",
)


WEBHOOK_EVENTS: Final[dict[WebhookEventType, str]] = {
    "response.completed": "A response has ended well.",
    "response.incomplete": "A response ended before it was complete.",
    "response.failed": "A response failed.",
    "response.cancelled": "A response was cancelled.",
    "approval.requested": "A call of an MCP tool waits for a person.",
}


class WebhookData(BaseModel):
    """What an event is about."""

    id: Annotated[str, Field(description="The response; of `approval.requested` the approval.")]
    response_id: Annotated[
        str | None, Field(description="Of `approval.requested`: the response that asks.")
    ] = None


class WebhookEvent(BaseModel):
    """What a webhook is sent, signed as Standard Webhooks says: ids, and no content."""

    object: Literal["event"]
    id: Annotated[str, Field(description="The `webhook-id`, too: it tells duplicates.")]
    type: WebhookEventType
    created_at: Annotated[int, Field(description="Unix seconds: when the response ended.")]
    data: WebhookData
