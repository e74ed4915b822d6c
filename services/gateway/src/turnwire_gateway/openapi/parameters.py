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
LiveEvents = Annotated[bool, Query(alias="stream", description="Answer with events as they come.")]


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
