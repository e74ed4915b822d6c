"""The pieces of content inside items."""

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from turnwire_contracts.json_values import JSON

Index = Annotated[int, Meta(ge=0)]
"""A place in a list, from 0 on."""

Timestamp = Annotated[int, Meta(ge=0, description="Unix time in seconds.")]


class OutputText(Struct, frozen=True, tag="output_text"):
    """Text that the model wrote."""

    text: str
    annotations: list[JSON]
    logprobs: list[JSON] | UnsetType = UNSET


class RefusalPart(Struct, frozen=True, tag="refusal"):
    """What the model said instead of an answer."""

    refusal: str


class ReasoningText(Struct, frozen=True, tag="reasoning_text"):
    """Raw reasoning."""

    text: str


class SummaryText(Struct, frozen=True, tag="summary_text"):
    """A summary of reasoning."""

    text: str


class ContentPart(Struct, frozen=True):
    """A part of a message: `input_text`, `input_image`, `input_file`, or any other kind."""

    type: str
    text: Annotated[Any, Meta(description="The text, in parts that are text.")] = UNSET


OutputPart = OutputText | RefusalPart | ReasoningText
