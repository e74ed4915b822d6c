"""What the routes of administration answer."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, RootModel

from turnwire_chassis.api_keys.record import Role, Scope

Seconds = Annotated[int | None, Field(description="Unix seconds; null: never.")]


class ApiKey(BaseModel):
    """An API key, without its secret."""

    id: str
    object: Literal["admin.api_key"]
    tenant: str
    user: str
    role: Role
    label: str
    scopes: list[Scope]
    status: Literal["active", "expired", "revoked"]
    ending: Annotated[str, Field(description="The last four letters of the key.")]
    created_at: Annotated[int, Field(description="Unix seconds.")]
    expires_at: Seconds
    revoked_at: Seconds


class NewApiKey(ApiKey):
    """The key that was made. Only this answer has the secret."""

    key: Annotated[str, Field(description="The key itself, which is shown only here.")]


class RevokedApiKey(ApiKey):
    """The key is of no use any more."""

    deleted: Literal[True]


class ApiKeyList(BaseModel):
    """A page of keys."""

    object: Literal["list"]
    data: list[ApiKey]
    first_id: str | None
    last_id: str | None
    has_more: bool


class AuditActor(BaseModel):
    """Who did it."""

    user: Annotated[str, Field(description="`operator`: by command, on the machine itself.")]
    key: Annotated[str | None, Field(description="The id of the API key that was shown.")]
    request_id: str | None


class AuditEntry(BaseModel):
    """One act, noted before it was done; never content."""

    object: Literal["admin.audit_event"]
    sequence: Annotated[int, Field(description="Its place in the audit log.")]
    type: str
    created_at: Annotated[float, Field(description="Unix seconds, with milliseconds.")]
    tenant: str
    actor: AuditActor
    data: Annotated[dict[str, Any], Field(description="What it says, by its type.")]


class AuditEntryList(BaseModel):
    """A page of acts. A page with few or none can have more behind it."""

    object: Literal["list"]
    data: list[AuditEntry]
    last_sequence: Annotated[int, Field(description="What the next page comes `after`.")]
    has_more: bool


class LimitValues(BaseModel):
    """How much is allowed; null: without limit."""

    requests_per_minute: int | None
    tokens_per_minute: int | None
    concurrent_turns: int | None
    concurrent_streams: int | None
    max_body_bytes: int | None
    max_items: int | None
    max_tools: int | None
    max_depth: int | None


class LimitUse(BaseModel):
    """What is used now. What has no limit is not counted, and is 0."""

    requests_in_last_minute: int
    tokens_in_last_minute: int
    turns: int
    streams: int


class Limits(BaseModel):
    """The limits of a tenant, or of one of its keys."""

    object: Literal["admin.limits"]
    tenant: str
    key: Annotated[str | None, Field(description="null: of the tenant as a whole.")]
    limits: LimitValues
    used: LimitUse


class LimitList(BaseModel):
    """Limits, tenant by tenant."""

    object: Literal["list"]
    data: list[Limits]


class ErasureEntry(BaseModel):
    """An erasure, begun and perhaps finished."""

    id: str
    object: Literal["admin.erasure"]
    tenant: str
    user: Annotated[str | None, Field(description="null: all users of the tenant.")]
    status: Annotated[
        Literal["running", "finished", "unfinished"],
        Field(description="`unfinished`: of a command that still runs, or was stopped."),
    ]
    requested_by: str
    begun_at: Annotated[int, Field(description="Unix seconds.")]
    finished_at: Seconds
    turns: Annotated[int | None, Field(description="How many were erased; null: not known yet.")]
    conversations: int | None


class ErasureCount(BaseModel):
    """What an erasure would erase."""

    object: Literal["admin.erasure.preview"]
    tenant: str
    user: str | None
    turns: int
    conversations: int
    active_keys: Annotated[
        int, Field(description="API keys that are still good: revoke them first.")
    ]
    complete: Annotated[
        bool, Field(description="Whether all was counted; false: there is more than that.")
    ]


class ErasureAnswer(RootModel[ErasureEntry | ErasureCount]):
    """The erasure that was begun, or with `dry_run` what it would erase."""


class ErasureList(BaseModel):
    """A page of erasures."""

    object: Literal["list"]
    data: list[ErasureEntry]
    first_id: str | None
    last_id: str | None
    has_more: bool
