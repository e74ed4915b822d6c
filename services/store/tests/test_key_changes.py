"""What a gateway can have changed of an API key: a new one, and that one was revoked."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw
from msgspec.structs import replace

from turnwire_chassis.api_keys.bucket import KeyEntry
from turnwire_chassis.api_keys.key_text import KeyId, new_key
from turnwire_chassis.api_keys.record import KeyOwner, KeyRecord, recorded
from turnwire_contracts.administration.admin_queries import PutApiKey
from turnwire_contracts.ids import OwnerId, TenantId
from turnwire_store.administration.key_changes import KeyChangeRefusedError, keep_key

OWNER = KeyOwner(TenantId("acme"), OwnerId("ada"), "user")
KEPT = recorded(new_key(bytes(range(41))), OWNER, b"a pepper of some length", 7)
NEW = recorded(new_key(bytes(range(1, 42))), OWNER, b"a pepper of some length", 8)


class OneKey:
    """A bucket with one key, in the place 3."""

    def __init__(self, record: KeyRecord = KEPT) -> None:
        self.entries = [KeyEntry(3, record.id, record)]
        self.put_in: list[tuple[KeyRecord, int]] = []

    async def read(self, after: int = 0) -> list[KeyEntry]:
        return [each for each in self.entries if each.sequence > after]

    async def put(self, record: KeyRecord, expected: int) -> None:
        self.put_in.append((record, expected))


def change(record: KeyRecord, expected: int) -> PutApiKey:
    return PutApiKey(Raw(msgspec.json.encode(record)), expected)


async def test_a_new_key_is_kept() -> None:
    keys = OneKey()
    await keep_key(keys, change(NEW, 0))
    assert keys.put_in == [(NEW, 0)]


async def test_that_a_key_was_revoked_is_kept() -> None:
    keys = OneKey()
    await keep_key(keys, change(replace(KEPT, revoked_ms=9), 3))
    assert keys.put_in == [(replace(KEPT, revoked_ms=9), 3)]


@pytest.mark.parametrize(
    ("before", "changes", "expected"),
    [
        ({"revoked_ms": 5}, {"revoked_ms": None}, 3),
        ({"revoked_ms": 5}, {"revoked_ms": 6}, 3),
        ({}, {}, 3),
        ({}, {"revoked_ms": 9, "digest": "0" * 64}, 3),
        ({}, {"revoked_ms": 9, "holder": replace(OWNER, role="admin")}, 3),
        ({}, {"revoked_ms": 9}, 2),
        ({}, {"revoked_ms": 9}, 0),
        ({}, {"revoked_ms": 9, "id": NEW.id}, 3),
        ({}, {"id": KeyId("key_.>")}, 0),
    ],
)
async def test_nothing_else_of_a_key_is_changed(
    before: dict[str, Any], changes: dict[str, Any], expected: int
) -> None:
    keys = OneKey(replace(KEPT, **before))
    with pytest.raises(KeyChangeRefusedError):
        await keep_key(keys, change(replace(KEPT, **changes), expected))
    assert keys.put_in == []
