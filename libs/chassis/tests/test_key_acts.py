"""Making and revoking keys: what is possible, what is noted, and what is kept."""

import pytest
from msgspec.structs import replace

from turnwire_chassis.administration.key_acts import (
    KeyActPorts,
    UnknownKeyError,
    create_key,
    in_order,
    refused_key,
    revoke_key,
)
from turnwire_chassis.api_keys.bucket import KeyEntry
from turnwire_chassis.api_keys.key_text import new_key
from turnwire_chassis.api_keys.record import KeyOwner, KeyRecord, KeyTerms, recorded
from turnwire_chassis.auditing.audit_log import AuditUnavailableError
from turnwire_contracts.audit.acts import Actor, KeyCreated, KeyRevoked
from turnwire_contracts.ids import OwnerId, TenantId
from turnwire_testing.memory_audit_log import MemoryAuditLog

OWNER = KeyOwner(TenantId("acme"), OwnerId("ada"), "user")
BY = Actor("root", "key_1", "req_1")
RECORD = recorded(new_key(bytes(range(41))), OWNER, b"a pepper of some length", 7)


class MemoryKeys:
    """Keys in a list: each entry in its place."""

    def __init__(self) -> None:
        self.entries: list[KeyEntry] = []

    async def read(self, after: int = 0) -> list[KeyEntry]:
        return self.entries[after:]

    async def put(self, record: KeyRecord, expected: int) -> None:
        kept = [each.sequence for each in self.entries if each.key_id == record.id]
        assert expected == (kept[-1] if kept else 0)
        self.entries.append(KeyEntry(len(self.entries) + 1, record.id, record))


@pytest.fixture
def ports() -> KeyActPorts:
    return KeyActPorts(MemoryKeys(), MemoryAuditLog())


def noted(ports: KeyActPorts) -> list[object]:
    assert isinstance(ports.audit, MemoryAuditLog)
    return [*ports.audit.events]


@pytest.mark.parametrize(
    ("owner", "terms", "field"),
    [
        (replace(OWNER, tenant=TenantId("a.b")), KeyTerms(), "tenant"),
        (replace(OWNER, user=OwnerId("  ")), KeyTerms(), "user"),
        (replace(OWNER, label="x" * 65), KeyTerms(), "label"),
        (OWNER, KeyTerms(()), "scopes"),
        (OWNER, KeyTerms(expires_ms=100), "expires_at"),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(
    owner: KeyOwner, terms: KeyTerms, field: str
) -> None:
    refused = refused_key(owner, terms, now_ms=100)
    assert refused is not None
    assert refused.field == field
    assert refused_key(OWNER, KeyTerms(expires_ms=101), now_ms=100) is None


def test_scopes_have_one_order_and_stand_there_once() -> None:
    assert in_order(["admin", "read", "admin"]) == ("read", "admin")


async def test_a_key_is_noted_before_it_is_kept(ports: KeyActPorts) -> None:
    record = replace(RECORD, scopes=("read",), expires_ms=99)
    await create_key(ports, record, BY)
    assert noted(ports) == [
        KeyCreated(
            tenant=TenantId("acme"),
            at=7,
            by=BY,
            key_id=record.id,
            user="ada",
            roles=["user"],
            scopes=["read"],
            expires_at=99,
        )
    ]
    assert [each.record for each in await ports.keys.read()] == [record]


async def test_a_key_that_cannot_be_noted_is_not_made(ports: KeyActPorts) -> None:
    assert isinstance(ports.audit, MemoryAuditLog)
    ports.audit.refuses = True
    with pytest.raises(AuditUnavailableError):
        await create_key(ports, RECORD, BY)
    assert await ports.keys.read() == []


async def test_a_key_is_revoked_once_and_for_good(ports: KeyActPorts) -> None:
    await create_key(ports, RECORD, BY)
    revoked, was_good = await revoke_key(ports, RECORD.id, BY, 50)
    assert (revoked, was_good) == (replace(RECORD, revoked_ms=50), True)
    assert await revoke_key(ports, RECORD.id, BY, 60) == (revoked, False)
    tenant = TenantId("acme")
    assert noted(ports)[1:] == [KeyRevoked(tenant=tenant, at=50, by=BY, key_id=RECORD.id)]


@pytest.mark.parametrize("tenant", [TenantId("globex"), None])
async def test_a_key_of_another_tenant_is_as_unknown_as_one_that_never_was(
    ports: KeyActPorts, tenant: TenantId | None
) -> None:
    await create_key(ports, RECORD, BY)
    key_id = RECORD.id if tenant else "key_000000000000"
    with pytest.raises(UnknownKeyError):
        await revoke_key(ports, key_id, BY, 50, tenant)
    assert len(noted(ports)) == 1
