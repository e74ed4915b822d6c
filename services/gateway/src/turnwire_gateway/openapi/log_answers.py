"""What routes answer that read the log."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from turnwire_gateway.api.requests.input_shapes import ABSENT
from turnwire_gateway.openapi.answers import PageBounds


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


class ResponseList(PageBounds):
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


_Ms = Annotated[int | None, Field(description="Milliseconds; null: no event tells.")]
_At = Annotated[float | None, Field(description="Unix seconds, with milliseconds.")]


class TimelineDurations(BaseModel):
    """How long each kind of work took."""

    queued_ms: Annotated[_Ms, Field(description="From the request to its first owner.")]
    guard_ms: Annotated[_Ms, Field(description="The check of the input, read beside the history.")]
    history_ms: Annotated[_Ms, Field(description="Reading what the response continues.")]
    first_token_ms: Annotated[
        _Ms, Field(description="From asking the backend first to its first event.")
    ]
    tokens_ms: Annotated[_Ms, Field(description="From the first event of each sample to its end.")]
    tools_ms: Annotated[_Ms, Field(description="While at least one MCP tool was called.")]
    append_ms: Annotated[
        _Ms, Field(description="From when each event was made until the broker kept it, summed.")
    ]
    delivery_ms: Annotated[
        _Ms,
        Field(
            description="From when the end was made until its frame was with the broker, which "
            "gives it to readers. Null once frames are kept no longer."
        ),
    ]


class TimelineOwner(BaseModel):
    """An orchestrator that drove the response."""

    epoch: Annotated[int, Field(description="Counts them, from 1.")]
    claim: Annotated[str | None, Field(description="Its name in the log; the first one has none.")]
    since: Annotated[_At, Field(alias="from")]
    until: _At


class TimelineSpan(BaseModel):
    """A part of the time: `queue`, `guard`, `list_tools`, `sample` or `tool`, and about which."""

    kind: Literal["queue", "guard", "list_tools", "sample", "tool"]
    sequence: Annotated[int, Field(description="The event that tells of it.")]
    started_at: _At
    ended_at: _At
    duration_ms: _Ms
    outcome: Annotated[Literal["passed", "blocked"], Field(description="Of `guard`.")] = ABSENT
    servers: Annotated[list[str], Field(description="Of `list_tools`.")] = ABSENT
    sample: Annotated[int, Field(description="Of `sample`: which one, from 1.")] = ABSENT
    first_token_at: Annotated[_At, Field(description="Of `sample`.")] = ABSENT
    version: Annotated[str | None, Field(description="Of the orchestrator that asked.")] = ABSENT
    item_id: Annotated[str, Field(description="Of `tool`: its item.")] = ABSENT
    name: Annotated[str | None, Field(description="Of `tool`.")] = ABSENT
    server_label: Annotated[str | None, Field(description="Of `tool`.")] = ABSENT
    failed: Annotated[bool, Field(description="Of `tool`: whether it ended with an error.")] = (
        ABSENT
    )


class ResponseTimeline(BaseModel):
    """Where the time of a response went."""

    object: Literal["response.timeline"]
    response_id: str
    status: Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
    started_at: float
    ended_at: _At
    total_ms: _Ms
    durations: TimelineDurations
    owners: list[TimelineOwner]
    takeovers: int
    retries: Annotated[int, Field(description="Calls made again, and requests delivered again.")]
    spans: Annotated[list[TimelineSpan], Field(description="All parts, in the order of the log.")]
    tools: Annotated[list[TimelineSpan], Field(description="Those of `spans` that are calls.")]


class ResponsePrompt(BaseModel):
    """What the model was sent for one sample of a response."""

    object: Literal["response.prompt"]
    response_id: str
    sample: Annotated[int, Field(description="Which sample, from 1.")]
    samples: Annotated[int, Field(description="How often the model was asked.")]
    api: Annotated[
        Literal["responses", "chat"], Field(description="In the words of which API it is.")
    ]
    sent_by: Annotated[
        str | None, Field(description="The version that sent it; null: the log does not say.")
    ]
    rebuilt_by: Annotated[str, Field(description="The version that has written `body` now.")]
    exact: Annotated[
        bool | None,
        Field(
            description="Whether `body` is what was sent, byte for byte; null: no digest was kept."
        ),
    ]
    bytes: Annotated[int, Field(description="The size of the body.")]
    body: Annotated[dict[str, Any] | None, Field(description="Null if it has more than 700 KiB.")]
