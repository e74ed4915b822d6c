"""What is answered of responses beside one another."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from turnwire_contracts.json_values import JSON
from turnwire_gateway.openapi.response import (
    IncompleteDetails,
    ResponseError,
    Status,
    Usage,
)


class FieldDifference(BaseModel):
    """A field of the request that differs."""

    field: str
    before: Any
    after: Any


class ItemDifference(BaseModel):
    """An item of one response beside that of the other."""

    change: Literal["same", "added", "removed", "replaced"]
    before: JSON | None
    after: JSON | None


class TextDifference(BaseModel):
    """Two texts, line by line."""

    equal: bool
    unified: Annotated[
        str | None,
        Field(description="A unified diff; null where the texts are equal, or of 2,000 lines."),
    ]


class UsageDifference(BaseModel):
    """What both cost, in tokens."""

    before: Usage | None
    after: Usage | None
    change: Annotated[
        dict[str, int] | None, Field(description="`after` less `before`, where both are known.")
    ]


class Timing(BaseModel):
    """When a response ran; times are Unix seconds."""

    created_at: float
    ended_at: float | None
    duration_ms: int | None


class TimingDifference(BaseModel):
    """How long both took."""

    before: Timing
    after: Timing
    change_ms: int | None


class ResponseEnd(BaseModel):
    """How a response ended, or that it runs."""

    status: Status
    incomplete_details: IncompleteDetails | None
    error: ResponseError | None


class EndDifference(BaseModel):
    """How both ended."""

    equal: bool
    before: ResponseEnd
    after: ResponseEnd


class ResponseDiff(BaseModel):
    """What differs between two responses."""

    object: Literal["response.diff"]
    before: str
    after: str
    request: list[FieldDifference]
    instructions: TextDifference
    input: list[ItemDifference]
    output: list[ItemDifference]
    text: TextDifference
    usage: UsageDifference
    timings: TimingDifference
    end: EndDifference
