"""`POST /v1/responses`: what a client may send. Tolerant in form, strict in values.

Unknown fields, explicit nulls, messages without `type` and unknown tool types pass; only a wrong
value of a known field is refused, with its name (docs: "Tolerance"). Sources: OpenAI's
`ResponseCreateParams`, Open Responses' `CreateResponseBody`.
"""

from typing import Annotated, Any, Literal, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

from turnwire_contracts.json_values import JSON
from turnwire_gateway.requests.shapes.messages import ItemError

MAX_METADATA_PAIRS = 16
MAX_INPUT_CHARACTERS = 10_485_760


def _text_or_items(value: Any) -> Any:
    if value is None or isinstance(value, str | list):
        return cast("str | list[Any]", value)
    raise ItemError("", "must be a text or a list of items")


def _named(value: JSON) -> JSON:
    name = value.get("type")
    if not isinstance(name, str) or not name:
        raise ValueError("must be an object with a `type`")
    return value


MetadataKey = Annotated[str, StringConstraints(max_length=64)]
MetadataValue = Annotated[str, StringConstraints(max_length=512)]
Metadata = Annotated[dict[MetadataKey, MetadataValue], Field(max_length=MAX_METADATA_PAIRS)]
Named = Annotated[JSON, AfterValidator(_named)]
_TOLERANT = ConfigDict(extra="allow", strict=True)


class ConversationParam(BaseModel):
    """The conversation that a turn is made in, as an object."""

    model_config = _TOLERANT

    id: str


def _named_by_text(value: Any) -> Any:
    return {"id": value} if isinstance(value, str) else value


Conversation = Annotated[
    ConversationParam,
    BeforeValidator(_named_by_text, json_schema_input_type=str | ConversationParam),
]


class PromptParam(BaseModel):
    """Which prompt template of the operator is to be rendered, and with what."""

    model_config = _TOLERANT

    id: Annotated[str, StringConstraints(min_length=1)]
    version: str | None = None
    variables: dict[str, str | Named] | None = None


class StreamOptions(BaseModel):
    """How a stream is written."""

    model_config = _TOLERANT

    include_obfuscation: bool | None = None


class CreateRequest(BaseModel):
    """The known fields; `None` always means "not set"."""

    model_config = _TOLERANT

    model: Annotated[str, StringConstraints(min_length=1)] | None = None
    """Required, unless the prompt template names one."""
    input: Annotated[str | list[Any] | None, BeforeValidator(_text_or_items)] = None
    """Required, unless there is something to continue or a prompt template."""
    instructions: str | None = None
    previous_response_id: str | None = None
    store: bool | None = None
    stream: bool | None = None
    background: bool | None = None
    conversation: Conversation | None = None
    prompt: PromptParam | None = None
    metadata: Metadata | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    max_output_tokens: Annotated[int, Field(ge=1)] | None = None
    max_tool_calls: Annotated[int, Field(ge=1)] | None = None
    parallel_tool_calls: bool | None = None
    tools: list[Named] | None = None
    tool_choice: Literal["none", "auto", "required"] | Named | None = None
    text: JSON | None = None
    reasoning: JSON | None = None
    truncation: Literal["auto", "disabled"] | None = None
    include: list[str] | None = None
    service_tier: str | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Field(ge=-1)] | None = None
    """This and what follows is said in the words of chat completions. 0 and -1: no limit, as
    llama.cpp and LM Studio have it."""
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    response_format: JSON | None = None
    reasoning_effort: str | None = None
    verbosity: str | None = None
    functions: list[JSON] | None = None
    function_call: Literal["none", "auto"] | JSON | None = None
