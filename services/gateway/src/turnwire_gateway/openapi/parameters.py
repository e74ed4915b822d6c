"""Parameters of paths, queries and headers, as FastAPI declares them; handlers read them."""

from typing import Annotated, Final, Literal

from fastapi import Header, Path, Query
from pydantic import BaseModel, Field

from turnwire_contracts.request_fields import Treatment
from turnwire_gateway.api.request_context import APPLICATION_HEADER
from turnwire_gateway.api.requests import paging
from turnwire_gateway.api.requests.input_shapes import ABSENT

DEFAULT_LIMIT: Final = paging.DEFAULT_LIMIT
IGNORED: Treatment = "ignored"
"""In `Annotated`: the parameter is taken, without effect."""

ResponseId = Annotated[str, Path(min_length=1, description="The id of a response, as `resp_…`.")]
ConversationId = Annotated[
    str, Path(min_length=1, description="The id of a conversation, as `conv_…`.")
]
ItemId = Annotated[str, Path(min_length=1, description="The id of an item.")]
ModelId = Annotated[str, Path(min_length=1, description="The model's name.")]

ApprovalId = Annotated[
    str, Path(min_length=1, description="The id of a request for approval, as `mcpr_…`.")
]

IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="The same key and body give the same turn; with another body it is 409.",
    ),
]
Application = Annotated[
    str,
    Header(
        alias=APPLICATION_HEADER,
        pattern="^[A-Za-z0-9._:-]{1,128}$",
        description="Whose policy the guard judges by; without it, the default one.",
    ),
]

After = Annotated[str, Query(description="The id of the last item of the page before.")]
Include = Annotated[
    list[str], Query(description="Taken, without effect: all that is stored is shown."), IGNORED
]
Limit = Annotated[int, Query(ge=1, le=paging.MOST, description="How many at most.")]
Offset = Annotated[int, Query(ge=0, le=paging.FURTHEST, description="How many to leave out first.")]
Order = Annotated[
    Literal["asc", "desc"], Query(description="By age: the oldest or the newest first.")
]
MetadataApplication = Annotated[
    str,
    Query(
        alias="metadata.application",
        description="Only those whose metadata say so; any other key works the same way.",
    ),
]
IncludeDeleted = Annotated[bool, Query(description="Show what is deleted, too. Admins only.")]
HardDelete = Annotated[bool, Query(description="Delete for ever. Admins only.")]
Recover = Annotated[
    Literal[True], Query(alias="recovery_from_delete", description="Bring it back. Admins only.")
]


AfterSequence = Annotated[
    int,
    Query(
        ge=0,
        le=paging.LARGEST_NUMBER,
        description="Only events behind this `sequence`: that of the last one that the client has.",
    ),
]
DiffWith = Annotated[
    str, Query(alias="with", min_length=1, description="The id of the response to compare with.")
]
AtSequence = Annotated[
    int,
    Query(
        ge=0,
        le=paging.LARGEST_NUMBER,
        description="Only events up to this `sequence` count; without it, all.",
    ),
]
SampleNumber = Annotated[
    int, Query(alias="sample", ge=1, le=1000, description="Which sample; without it, the last.")
]
LiveEvents = Annotated[bool, Query(alias="stream", description="Answer with events as they come.")]


_Name = Annotated[str, Field(min_length=1, max_length=256)]
_Time = Annotated[float, Field(ge=0, lt=253_402_300_800)]


class ListQuery(BaseModel):
    """Which responses a list has; filters narrow each other."""

    status: Annotated[
        Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"],
        Field(description="Only those with this status."),
    ] = ABSENT
    model: Annotated[_Name, Field(description="Only those that asked for this model.")] = ABSENT
    application: Annotated[_Name, Field(description="Only those with this `x-application-id`.")] = (
        ABSENT
    )
    conversation: Annotated[_Name, Field(description="Only those of this conversation.")] = ABSENT
    tool: Annotated[_Name, Field(description="Only those in which the model called this tool.")] = (
        ABSENT
    )
    guard: Annotated[
        Literal["none", "passed", "blocked"],
        Field(description="`none`: not judged; `blocked`: output was held back or withheld."),
    ] = ABSENT
    error_code: Annotated[_Name, Field(description="Only those that failed with it.")] = ABSENT
    created_from: Annotated[_Time, Field(description="Only those made since, Unix seconds.")] = (
        ABSENT
    )
    created_to: Annotated[_Time, Field(description="Only those made until, Unix seconds.")] = ABSENT
    background: Annotated[
        bool, Field(description="Only those that ran in the background, or that did not.")
    ] = ABSENT
    owner: Annotated[_Name, Field(description="Only those of this user. Admins only.")] = ABSENT
    tenant: Annotated[
        _Name,
        Field(description="Those of this tenant. Operators only, and without `search`."),
    ] = ABSENT
    search: Annotated[
        _Name,
        Field(
            description="Only those whose text has these words. Content is read for that, so that "
            "a page looks at 200 responses at most; `scan` says how far it came."
        ),
    ] = ABSENT


Filters = Annotated[ListQuery, Query()]


class StreamQuery(BaseModel):
    """How a stored response is read again as a stream."""

    stream: Annotated[bool, Field(description="Answer with the whole stream again.")] = False
    starting_after: Annotated[
        int,
        Field(
            ge=0,
            le=paging.LARGEST_NUMBER,
            description="The `sequence_number` of the last event that the client has.",
        ),
    ] = ABSENT
    include_obfuscation: Annotated[
        bool, Field(description="The padding is as it was when the response ran.")
    ] = False


Stream = Annotated[StreamQuery, Query()]
