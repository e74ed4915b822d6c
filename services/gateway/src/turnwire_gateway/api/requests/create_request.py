"""`POST /v1/responses`: what a client may send. Tolerant in form, strict in values.

Unknown fields, explicit nulls, messages without `type` and unknown tool types pass; only a wrong
value of a known field is refused, with its name (docs: "Tolerance"). Sources: OpenAI's
`ResponseCreateParams`, Open Responses' `CreateResponseBody`.
"""

from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    create_model,
)

from turnwire_contracts.json_values import JSON
from turnwire_contracts.request_fields import REQUEST_FIELDS, RequestField
from turnwire_gateway.api.requests import input_shapes as shapes
from turnwire_gateway.api.requests.input_items import text_or_items
from turnwire_gateway.api.requests.request_body import TOLERANT, FieldCoverage, RequestBody

MAX_METADATA_PAIRS = 16
MAX_INPUT_CHARACTERS = 10_485_760


def _named(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    name = cast("JSON", value).get("type")
    if not isinstance(name, str) or not name:
        raise ValueError("must be an object with a `type`")
    return cast("JSON", value)


MetadataKey = Annotated[str, StringConstraints(max_length=64)]
MetadataValue = Annotated[str, StringConstraints(max_length=512)]
ModelName = Annotated[str, StringConstraints(min_length=1)]
Metadata = Annotated[dict[MetadataKey, MetadataValue], Field(max_length=MAX_METADATA_PAIRS)]
Named = Annotated[JSON, BeforeValidator(_named, json_schema_input_type=shapes.Named)]
Tool = Annotated[JSON, BeforeValidator(_named, json_schema_input_type=shapes.ToolParam)]


class ConversationParam(BaseModel):
    """The conversation that a turn is made in, as an object."""

    model_config = TOLERANT

    id: str


def _named_by_text(value: Any) -> Any:
    return {"id": value} if isinstance(value, str) else value


Conversation = Annotated[
    ConversationParam,
    BeforeValidator(_named_by_text, json_schema_input_type=str | ConversationParam),
]


class PromptParam(BaseModel):
    """Which prompt template of the operator is to be rendered, and with what."""

    model_config = TOLERANT

    id: Annotated[str, StringConstraints(min_length=1)]
    version: str | None = None
    variables: dict[str, str | Named] | None = None


class StreamOptions(BaseModel):
    """How a stream is written."""

    model_config = TOLERANT

    include_obfuscation: bool | None = None


class WebhookParam(BaseModel):
    """Where the end of a response is told."""

    # A typo in it would send what is meant for one receiver to another.
    model_config = ConfigDict(extra="forbid", strict=True)

    url: Annotated[str, StringConstraints(min_length=1)] | None = None
    """Left out: the URL of the API key."""


class _FieldsWithShapes(RequestBody):
    one_of: ClassVar = ("input", "previous_response_id", "conversation", "prompt")
    covered: ClassVar = {
        each.name: FieldCoverage(each.about, each.treatment) for each in REQUEST_FIELDS
    }

    model: Annotated[ModelName | None, Field(examples=["smollm2"])] = None
    """Required, unless the prompt template names one."""
    input: Annotated[
        str | list[Any] | None,
        BeforeValidator(text_or_items, json_schema_input_type=shapes.Input),
    ] = None
    """Required, unless there is something to continue or a prompt template."""
    instructions: str | None = None
    previous_response_id: str | None = None
    store: bool | None = None
    stream: bool | None = None
    background: bool | None = None
    conversation: Conversation | None = None
    prompt: PromptParam | None = None
    metadata: Metadata | None = None
    max_output_tokens: Annotated[int, Field(ge=1)] | None = None
    tools: list[Tool] | None = None
    tool_choice: Literal["none", "auto", "required"] | Named | None = None
    text: JSON | None = None
    reasoning: JSON | None = None
    stream_options: StreamOptions | None = None
    webhook: WebhookParam | None = None
    include: list[str] | None = None
    max_tokens: Annotated[int, Field(ge=-1)] | None = None
    """This and what follows is said in the words of chat completions. 0 and -1: no limit, as
    llama.cpp and LM Studio have it."""
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    response_format: JSON | None = None
    reasoning_effort: str | None = None
    verbosity: str | None = None
    logprobs: bool | None = None
    functions: list[JSON] | None = None
    function_call: Literal["none", "auto"] | JSON | None = None


def checked(field: RequestField) -> Any:
    """Give the type of a field with its bounds, and its default; null is always "not set"."""
    bounds = Field(ge=field.minimum, le=field.maximum)
    if field.type is str:
        bounds = Field(min_length=_length(field.minimum), max_length=_length(field.maximum))
    bounded: Any = Annotated[field.type, bounds]
    return bounded | None, None


def _length(bound: float | None) -> int | None:
    return None if bound is None else int(bound)


_CHECKED: dict[str, Any] = {
    each.name: checked(each) for each in REQUEST_FIELDS if each.type is not None
}
"""The fields of which `turnwire_contracts/request_fields.py` says the type and the bounds."""


class CreateRequest(create_model("Checked", __base__=_FieldsWithShapes, **_CHECKED)):
    """The known fields; `None` always means "not set"."""
