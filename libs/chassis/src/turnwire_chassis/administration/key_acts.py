"""Making and revoking API keys: what is possible, the note in the audit log, and then the act."""

from collections.abc import Sequence
from typing import Final, Protocol

from msgspec import Struct
from msgspec.structs import replace

from turnwire_chassis.api_keys.bucket import KeyEntry
from turnwire_chassis.api_keys.record import (
    SCOPES,
    KeyOwner,
    KeyRecord,
    KeyTerms,
    KeyWebhook,
    Role,
    Scope,
)
from turnwire_chassis.auditing.audit_log import AuditLog
from turnwire_contracts.audit.acts import Actor, KeyCreated, KeyRevoked, KeyWebhookChanged
from turnwire_contracts.ids import TenantId, is_tenant_id

LONGEST_USER: Final = 256
LONGEST_LABEL: Final = 64

_ROLES: Final[dict[Role, list[str]]] = {
    "user": ["user"],
    "admin": ["user", "admin"],
    "operator": ["user", "operator"],
}


class KeyRecords(Protocol):
    """Where keys are kept. Every method raises `LogUnavailableError`."""

    async def read(self, after: int = 0) -> list[KeyEntry]:
        """Give every key that was made or changed behind the sequence `after`, oldest first."""
        ...

    async def put(self, record: KeyRecord, expected: int) -> None:
        """Write a key whose last sequence is `expected`, 0 for a new one."""
        ...


class KeyActPorts(Struct, frozen=True):
    """What acts on keys stand on: where keys are kept, and where acts are noted."""

    keys: KeyRecords
    audit: AuditLog


class KeyRefused(Struct, frozen=True):
    """Why a key cannot be made: the field that is wrong, and what it may be."""

    field: str
    problem: str


class UnknownKeyError(Exception):
    """There is no such key, or none in the tenant that was named."""


def refused_key(owner: KeyOwner, terms: KeyTerms, now_ms: int) -> KeyRefused | None:
    """Tell why no key can be made like this; `None`: it can."""
    if not is_tenant_id(owner.tenant):
        return KeyRefused("tenant", "1 to 64 of the letters A-Z a-z 0-9 _ -")
    if not 0 < len(owner.user.strip()) <= LONGEST_USER:
        return KeyRefused("user", f"1 to {LONGEST_USER} letters")
    if len(owner.label) > LONGEST_LABEL:
        return KeyRefused("label", f"at most {LONGEST_LABEL} letters")
    if not terms.scopes:
        return KeyRefused("scopes", f"at least one of {', '.join(SCOPES)}; left out: all of them")
    if terms.expires_ms is not None and terms.expires_ms <= now_ms:
        return KeyRefused("expires_at", "a time that is still to come")
    return None


def in_order(scopes: Sequence[Scope]) -> tuple[Scope, ...]:
    """Give each scope once, in the one order that records have."""
    return tuple(scope for scope in SCOPES if scope in scopes)


async def create_key(ports: KeyActPorts, record: KeyRecord, by: Actor) -> None:
    """Note that a key is made, and keep it.

    Raises `AuditUnavailableError` before anything is done, and `LogUnavailableError`.
    """
    owner = record.holder
    await ports.audit.note(
        KeyCreated(
            tenant=owner.tenant,
            at=record.created_ms,
            by=by,
            key_id=record.id,
            user=owner.user,
            roles=_ROLES[owner.role],
            scopes=[] if record.scopes == SCOPES else [*record.scopes],
            expires_at=record.expires_ms,
        )
    )
    await ports.keys.put(record, expected=0)


async def revoke_key(
    ports: KeyActPorts, key_id: str, by: Actor, at_ms: int, tenant: TenantId | None = None
) -> tuple[KeyRecord, bool]:
    """Note that a key is revoked, and make it useless for good; doing it again changes nothing.

    `tenant`: only if it is one of this tenant. Gives the record, and whether it was good before.
    Raises `UnknownKeyError`, `AuditUnavailableError`, `LogUnavailableError`.
    """
    record, sequence = await find_key(ports.keys, key_id, tenant)
    if record.revoked_ms is not None:
        return record, False
    owner = record.holder
    await ports.audit.note(KeyRevoked(tenant=owner.tenant, at=at_ms, by=by, key_id=record.id))
    revoked = replace(record, revoked_ms=at_ms)
    await ports.keys.put(revoked, expected=sequence)
    return revoked, True


async def find_key(
    keys: KeyRecords, key_id: str, tenant: TenantId | None = None
) -> tuple[KeyRecord, int]:
    """Give a key, and the sequence of what is kept of it; `tenant`: only one of this tenant.

    Raises `UnknownKeyError`, `LogUnavailableError`.
    """
    entries = [each for each in await keys.read() if each.key_id == key_id]
    record = entries[-1].record if entries else None
    if record is None or tenant not in (None, record.holder.tenant):
        raise UnknownKeyError(key_id)
    return record, entries[-1].sequence


async def change_webhook(
    ports: KeyActPorts,
    found: tuple[KeyRecord, int],
    webhook: KeyWebhook | None,
    note: KeyWebhookChanged,
) -> KeyRecord:
    """Note that the webhook of a key changes, and change it; `found` as `find_key` gives it.

    Raises `AuditUnavailableError` before anything is done, and `LogUnavailableError`, also where
    the key was changed meanwhile.
    """
    record, sequence = found
    await ports.audit.note(note)
    changed = replace(record, webhook=webhook)
    await ports.keys.put(changed, expected=sequence)
    return changed
