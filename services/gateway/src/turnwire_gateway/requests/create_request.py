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

from turnwire_contracts.json_values import JSON, mapping

MAX_METADATA_PAIRS = 16
MAX_INPUT_CHARACTERS = 10_485_760

_ROLES = ("user", "assistant", "system", "developer")


class ItemError(ValueError):
    """An input item is wrong at a place inside it."""

    def __init__(self, place: str, message: str) -> None:
        """`place` is a path below `input`, such as `[0].content`."""
        super().__init__(message)
        self.place = place


def _text_or_items(value: Any) -> Any:
    if isinstance(value, str | list):
        return cast("str | list[Any]", value)
    raise ItemError("", "must be a text or a list of items")


def _named(value: JSON) -> JSON:
    name = value.get("type")
    if not isinstance(name, str) or not name:
        raise ValueError("must be an object with a `type`")
    return value


MetadataKey = Annotated[str, StringConstraints(max_length=64)]
MetadataValue = Annotated[str, StringConstraints(max_length=512)]
Named = Annotated[JSON, AfterValidator(_named)]


class CreateRequest(BaseModel):
    """The known fields; `None` always means "not set"."""

    model_config = ConfigDict(extra="allow", strict=True)

    model: Annotated[str, StringConstraints(min_length=1)]
    input: Annotated[str | list[Any], BeforeValidator(_text_or_items)]
    instructions: str | None = None
    previous_response_id: str | None = None
    store: bool | None = None
    stream: bool | None = None
    background: bool | None = None
    conversation: str | JSON | None = None
    prompt: JSON | None = None
    metadata: (
        Annotated[dict[MetadataKey, MetadataValue], Field(max_length=MAX_METADATA_PAIRS)] | None
    ) = None
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
    stream_options: JSON | None = None


def normalised_items(given: str | list[Any]) -> list[JSON]:
    """Give the input as items that each have a `type`.

    Raises `ItemError`, which names the place.
    """
    if isinstance(given, str):
        if not given:
            raise ItemError("", "must not be empty")
        return [{"type": "message", "role": "user", "content": given}]
    if not given:
        raise ItemError("", "must not be empty")
    return [_item(item, f"[{index}]") for index, item in enumerate(given)]


def _item(item: object, place: str) -> JSON:
    if not isinstance(item, dict):
        raise ItemError(place, "must be an object")
    fields = {name: value for name, value in mapping(item).items() if value is not None}
    kind = fields.setdefault("type", "message" if "role" in fields else "item_reference")
    if not isinstance(kind, str):
        raise ItemError(f"{place}.type", "must be a text")
    match kind:
        case "message":
            _check_message(fields, place)
        case "function_call":
            _check_texts(fields, ("call_id", "name", "arguments"), place)
        case "function_call_output" | "custom_tool_call_output":
            _check_texts(fields, ("call_id",), place)
            _check_content(fields.get("output"), f"{place}.output")
        case "item_reference":
            raise ItemError(place, "is an item_reference, which is not supported; send the item")
        case _:
            pass
    return fields


def _check_message(fields: JSON, place: str) -> None:
    role = fields.get("role")
    if role not in _ROLES:
        raise ItemError(f"{place}.role", f"must be one of {', '.join(_ROLES)}")
    _check_content(fields.get("content"), f"{place}.content")


def _check_content(content: object, place: str) -> None:
    if isinstance(content, str):
        return
    if not isinstance(content, list):
        raise ItemError(place, "must be a text or a list of parts")
    for index, part in enumerate(cast("list[Any]", content)):
        if not isinstance(mapping(part).get("type"), str):
            raise ItemError(f"{place}[{index}]", "must be an object with a `type`")


def _check_texts(fields: JSON, names: tuple[str, ...], place: str) -> None:
    for name in names:
        if not isinstance(fields.get(name), str):
            raise ItemError(f"{place}.{name}", "must be a text")
