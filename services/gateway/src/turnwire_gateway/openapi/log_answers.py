"""What routes answer that read the log."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from turnwire_gateway.api.requests.input_shapes import ABSENT
from turnwire_gateway.openapi.answers import ListPage


class SummaryUsage(BaseModel):
    """The tokens that a response cost."""

    input_tokens: int
    output_tokens: int
    total_tokens: int


class ListedResponse(BaseModel):
    """What a list says of a response: nothing of its content."""

    id: str
    object: Literal["response.summary"]
    created_at: Annotated[float, Field(description="Unix seconds, with milliseconds.")]
    completed_at: Annotated[
        float | None, Field(description="When it ended, however it did; null while it runs.")
    ]
    status: Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
    model: str
    owner: Annotated[str, Field(description="The user who asked.")]
    application: Annotated[str | None, Field(description="Its `x-application-id`.")]
    conversation: str | None
    previous_response_id: str | None
    background: bool
    tools: Annotated[list[str], Field(description="The names of the tools that the model called.")]
    guard: Annotated[
        Literal["none", "passed", "blocked"],
        Field(description="`blocked`: output was held back or withheld."),
    ]
    error_code: str | None
    incomplete_reason: str | None
    duration_ms: int | None
    usage: SummaryUsage | None


class ListScan(BaseModel):
    """How far a list came that looks at responses one by one."""

    scanned: Annotated[int, Field(description="How many were looked at for this page.")]
    complete: Annotated[bool, Field(description="Whether nothing is left to look at.")]
    last_scanned_id: Annotated[str | None, Field(description="What the next page goes on `after`.")]


class ResponseList(ListPage):
    """A page of responses."""

    data: list[ListedResponse]
    scan: Annotated[
        ListScan,
        Field(description="With `search`, and where filters were compared for too many."),
    ] = ABSENT


class ResponseState(BaseModel):
    """The state that the events of a response add up to."""

    object: Literal["response.state"]
    response_id: str
    sequence: Annotated[int, Field(description="The last event that counts; 0 before the first.")]
    events: Annotated[int, Field(description="How many events count.")]
    state: Literal["not_requested", "screening", "sampling", "refused_by_guard", "closed", "erased"]
    summary: Annotated[str, Field(description="The same for people.")]
    next: Annotated[
        str | None, Field(description="What would be done next, as `sample`; null: nothing.")
    ]
    data: Annotated[
        dict[str, Any], Field(description="What the state knows, without what is secret.")
    ]
