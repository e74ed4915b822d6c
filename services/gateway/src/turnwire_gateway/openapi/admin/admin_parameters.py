"""Parameters of the routes of administration, as FastAPI declares them; handlers read them."""

from typing import Annotated, Literal

from fastapi import Path, Query

from turnwire_contracts.audit.acts import AUDIT_KINDS
from turnwire_gateway.api.requests.paging import LARGEST_NUMBER

Tenant = Annotated[
    str,
    Query(
        pattern="^[A-Za-z0-9_-]{1,64}$",
        description="Only what is of this tenant. Left out: an admin's own, for an operator all.",
    ),
]
User = Annotated[str, Query(description="Only what is of this user.")]
KeyId = Annotated[str, Path(min_length=1, description="The id of an API key, as `key_…`.")]
KeyStatus = Annotated[
    Literal["active", "expired", "revoked"], Query(description="Only keys that are this.")
]
AuditKind = Annotated[
    str,
    Query(
        alias="type",
        json_schema_extra={"enum": [*AUDIT_KINDS]},
        description="Only acts of this type.",
    ),
]
Since = Annotated[int, Query(ge=0, description="Unix seconds: nothing older.")]
Until = Annotated[int, Query(ge=0, description="Unix seconds: nothing from then on.")]
AfterAct = Annotated[
    int,
    Query(ge=1, le=LARGEST_NUMBER, description="The `last_sequence` of the page before."),
]
AfterLetter = Annotated[
    int, Query(ge=0, le=LARGEST_NUMBER, description="The `last_sequence` of the page before.")
]
LetterNumber = Annotated[int, Path(ge=1, description="The number of a dead letter.")]
ErasureId = Annotated[str, Path(min_length=1, description="The id of an erasure.")]
