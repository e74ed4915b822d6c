"""The bodies of the routes of administration.

A field that is unknown is refused: a typo in it would make another key than was meant.
"""

from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from turnwire_chassis.api_keys.record import Role, Scope
from turnwire_contracts.webhooks.subscription import WebhookEventType
from turnwire_gateway.api.requests.request_body import FieldCoverage, RequestBody, describe

_LATEST: int = 253_402_300_799
"""The end of the year 9999."""


class AdminBody(RequestBody):
    """The body of a route of administration."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra=describe)


class KeyCreate(AdminBody):
    """`POST /v1/admin/keys`."""

    covered: ClassVar = {
        "expires_at": FieldCoverage("Unix seconds from which on it is refused; left out: never"),
        "label": FieldCoverage("what you will know it by, 64 letters"),
        "role": FieldCoverage("`user`, `admin` of the tenant, or `operator` of the deployment"),
        "scopes": FieldCoverage("`read`, `write`, `admin`; left out: all of them"),
        "tenant": FieldCoverage("whose data; left out: the caller's own tenant"),
        "user": FieldCoverage("who it speaks for, inside of the tenant"),
    }

    user: str
    role: Role
    tenant: str | None = None
    label: str = ""
    scopes: list[Scope] | None = None
    expires_at: Annotated[int, Field(ge=0, le=_LATEST)] | None = None


class WebhookSet(AdminBody):
    """`PUT /v1/admin/keys/{key_id}/webhook`."""

    covered: ClassVar = {
        "url": FieldCoverage("where events are sent; what it leads to is vetted when they are"),
        "events": FieldCoverage("the types of events that are sent; left out: all of them"),
    }

    url: str
    events: Annotated[list[WebhookEventType], Field(min_length=1)] | None = None


class SecretRotation(AdminBody):
    """`POST /v1/admin/keys/{key_id}/webhook/rotate_secret`."""

    covered: ClassVar = {
        "keep_old_secret_active_for_24_hours": FieldCoverage(
            "whether the old secret signs for a day beside the new one"
        ),
    }

    keep_old_secret_active_for_24_hours: bool = False


class ErasureCreate(AdminBody):
    """`POST /v1/admin/erasures`."""

    covered: ClassVar = {
        "dry_run": FieldCoverage("only say what would be erased"),
        "tenant": FieldCoverage("whose data; it must be named, also by its own admin"),
        "user": FieldCoverage("only what this user made; left out: all of the tenant"),
    }

    tenant: str
    user: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    dry_run: bool = False
