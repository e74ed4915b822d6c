"""The bodies of all routes but `POST /v1/responses`. Tolerant in form, strict in values."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from turnwire_contracts.queries import CheckType
from turnwire_gateway.requests.create_request import Metadata

_TOLERANT = ConfigDict(extra="allow", strict=True)
_MOST_ITEMS = 20

Items = Annotated[list[Any], Field(max_length=_MOST_ITEMS)]
"""OpenAI: up to twenty items at a time."""


class ConversationCreate(BaseModel):
    """`POST /v1/conversations`."""

    model_config = _TOLERANT

    items: Items | None = None
    metadata: Metadata | None = None


class ConversationUpdate(BaseModel):
    """`POST /v1/conversations/{id}`: the metadata takes the place of what was there."""

    model_config = _TOLERANT

    metadata: Metadata | None
    """Must be there; null clears, as in OpenAI's SDKs."""


class ItemsCreate(BaseModel):
    """`POST /v1/conversations/{id}/items`."""

    model_config = _TOLERANT

    items: Annotated[list[Any], Field(min_length=1, max_length=_MOST_ITEMS)]


class CompactRequest(BaseModel):
    """`POST /v1/responses/compact`."""

    model_config = _TOLERANT

    model: Annotated[str, StringConstraints(min_length=1)]
    input: str | list[Any] | None = None
    previous_response_id: str | None = None
    instructions: str | None = None
    prompt_cache_key: str | None = None


class CheckRequest(BaseModel):
    """`POST /v1/check`."""

    model_config = _TOLERANT

    check_type: CheckType
    input: str | list[Any] | None = None
    application_id: str | None = None
    context: dict[str, Any] | None = None
