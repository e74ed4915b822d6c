"""What gateways ask of the store for admins and operators: API keys, the audit log, erasures.

The gateway faces the outside. It reads API keys and adds to the audit log by itself; what changes
keys or reads acts goes through the store, which keeps to what these questions can say.
"""

from typing import Literal

from msgspec import Raw, Struct

from turnwire_contracts import subjects
from turnwire_contracts.ids import OwnerId, TenantId
from turnwire_contracts.queries import Query, Question, Refusal


class PutApiKey(Question, frozen=True):
    """Keep a new API key, or that one was revoked; a key is not changed otherwise."""

    record: Raw
    """A `KeyRecord`, as the bucket of keys has it."""
    expected: int
    """The sequence of what is kept of this key; 0: there is none yet."""


class ApiKeyKept(Struct, frozen=True, tag=True):
    """The key is kept as it was said."""


class AskForActs(Question, frozen=True):
    """What admins and operators did."""

    tenant: TenantId | None
    """`None`: in all tenants."""
    kinds: tuple[str, ...] = ()
    """Only these kinds of acts; none: all."""
    user: str | None = None
    """Only what this user did."""
    since: int = 0
    """Unix milliseconds: nothing older."""
    until: int | None = None
    """Unix milliseconds: nothing from then on."""
    after: int | None = None
    """The `sequence` of the last act of the page before; `None`: begin."""
    newest_first: bool = True
    limit: int = 20


class AuditRecord(Struct, frozen=True):
    """One act in its place."""

    sequence: int
    kind: str
    event: Raw
    """The event as it was noted."""


class AuditPage(Struct, frozen=True, tag=True):
    """A page of acts."""

    records: list[AuditRecord]
    after: int | None
    """What the next page comes after; `None`: this was the last."""


class AskForErasurePreview(Question, frozen=True):
    """How much an erasure would erase; nothing is done."""

    tenant: TenantId
    owner: OwnerId | None = None
    """`None`: of all users."""
    of: Literal["turns", "conversations"] = "turns"
    after: int = 0
    """Up to where in the log it was counted before; 0: begin."""


class ErasurePreview(Struct, frozen=True, tag=True):
    """How many were counted."""

    after: int | None
    """From where to go on; `None`: the log was read to its end."""
    found: int


STORE_ERASURE_PREVIEW: Query[AskForErasurePreview, ErasurePreview | Refusal] = Query(
    subjects.STORE_ERASURE_PREVIEW,
    subjects.STORE_QUEUE,
    AskForErasurePreview,
    ErasurePreview | Refusal,
)
STORE_KEYS: Query[PutApiKey, ApiKeyKept | Refusal] = Query(
    subjects.STORE_KEYS, subjects.STORE_QUEUE, PutApiKey, ApiKeyKept | Refusal
)
STORE_ACTS: Query[AskForActs, AuditPage | Refusal] = Query(
    subjects.STORE_ACTS, subjects.STORE_QUEUE, AskForActs, AuditPage | Refusal
)
