"""The bodies of all routes but `POST /v1/responses`. Tolerant in form, strict in values."""

from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, create_model

from turnwire_contracts.queries import CheckType
from turnwire_contracts.request_fields import COUNTED
from turnwire_gateway.api.requests import input_shapes as shapes
from turnwire_gateway.api.requests.create_request import CreateRequest, Metadata, ModelName
from turnwire_gateway.api.requests.request_body import FieldCoverage, RequestBody

_MOST_ITEMS = 20
"""OpenAI: up to twenty items at a time."""


def _as_it_is(value: Any) -> Any:
    return value


Item = Annotated[Any, BeforeValidator(_as_it_is, json_schema_input_type=shapes.InputItem)]
Input = Annotated[
    str | list[Any] | None, BeforeValidator(_as_it_is, json_schema_input_type=shapes.Input)
]


class ConversationCreate(RequestBody):
    """`POST /v1/conversations` (OpenAI: `ConversationCreateParams`)."""

    covered: ClassVar = {
        "items": FieldCoverage(f"up to {_MOST_ITEMS}"),
        "metadata": FieldCoverage("16 pairs, keys of 64 and values of 512 characters"),
    }

    items: Annotated[list[Item], Field(max_length=_MOST_ITEMS)] | None = None
    metadata: Metadata | None = None


class ConversationUpdate(RequestBody):
    """`POST /v1/conversations/{id}` (OpenAI: `ConversationUpdateParams`)."""

    covered: ClassVar = {"metadata": FieldCoverage("takes the place of the old")}

    metadata: Metadata | None
    """Must be there; null clears, as in OpenAI's SDKs."""


class ItemsCreate(RequestBody):
    """`POST /v1/conversations/{id}/items` (OpenAI: `ItemCreateParams`)."""

    covered: ClassVar = {"items": FieldCoverage(f"1 to {_MOST_ITEMS}")}

    items: Annotated[list[Item], Field(min_length=1, max_length=_MOST_ITEMS)]


class CompactRequest(RequestBody):
    """`POST /v1/responses/compact` (OpenAI: `ResponseCompactParams`)."""

    one_of: ClassVar = ("input", "previous_response_id")
    covered: ClassVar = {
        "image": FieldCoverage("no images are made here", "ignored"),
        "input": FieldCoverage("a text or items, after those of the history"),
        "instructions": FieldCoverage("what the summary is to keep in mind"),
        "model": FieldCoverage("the model that writes the summary"),
        "previous_response_id": FieldCoverage("its history is made short"),
        "prompt_cache_key": FieldCoverage("for the backend's cache", "passed through"),
        "prompt_cache_options": FieldCoverage("caches are the backend's own", "ignored"),
        "prompt_cache_retention": FieldCoverage("caches are the backend's own", "ignored"),
        "service_tier": FieldCoverage("the backend's default holds", "ignored"),
    }

    model: Annotated[ModelName, Field(examples=["smollm2"])]
    input: Input = None
    previous_response_id: str | None = None
    instructions: str | None = None
    prompt_cache_key: str | None = None


class CheckRequest(RequestBody):
    """`POST /v1/check`, which OpenAI does not have."""

    one_of: ClassVar = ("input",)
    covered: ClassVar = {
        "application_id": FieldCoverage("whose policy applies; without it, the default one"),
        "check_type": FieldCoverage("`input`, `tool_output` or `output`"),
        "context": FieldCoverage("an object that goes to the guard; no provider of ours reads it"),
        "input": FieldCoverage("a text, or items, all text of which is checked"),
    }

    check_type: CheckType
    input: Input = None
    application_id: str | None = None
    context: dict[str, Any] | None = None


class _Counting(RequestBody):
    one_of: ClassVar = ("input", "previous_response_id", "conversation")
    covered: ClassVar = {
        "conversation": FieldCoverage("its items count"),
        "input": FieldCoverage("a text or items"),
        "instructions": FieldCoverage("they count"),
        "model": FieldCoverage("whose tokens are counted"),
        **{name: FieldCoverage("to backends that count", "passed through") for name in COUNTED},
        "personality": FieldCoverage("OpenAI's own prompts", "ignored"),
        "previous_response_id": FieldCoverage("its history counts"),
        "tool_choice": FieldCoverage("to backends that count", "passed through"),
        "tools": FieldCoverage("their definitions count"),
        "truncation": FieldCoverage("all is counted", "ignored"),
    }


_COUNTED: dict[str, Any] = {
    name: (field.rebuild_annotation(), field)
    for name, field in CreateRequest.model_fields.items()
    if name in _Counting.covered
}


class InputTokensRequest(create_model("Counted", __base__=_Counting, **_COUNTED)):
    """Those fields of `CreateRequest` that may count (OpenAI: `InputTokenCountParams`).

    The gateway reads them as `CreateRequest`, with all its checks.
    """
