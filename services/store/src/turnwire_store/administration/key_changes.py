"""Which changes of an API key are kept: a new one, and that one was revoked. Nothing else is."""

import msgspec
from msgspec.structs import replace

from turnwire_chassis.administration.key_acts import KeyRecords
from turnwire_chassis.api_keys.key_text import is_key_id
from turnwire_chassis.api_keys.record import KeyRecord
from turnwire_contracts.administration.admin_queries import PutApiKey


class KeyChangeRefusedError(Exception):
    """It is no change that may be made to a key; the text says why."""


async def keep_key(keys: KeyRecords, change: PutApiKey) -> None:
    """Keep a new key, or that a key was revoked.

    What a gateway can have changed is so no more than that: it revives no key, and gives none to
    another owner. Raises `KeyChangeRefusedError`, `LogUnavailableError`.
    """
    record = msgspec.json.decode(change.record, type=KeyRecord)
    if not is_key_id(record.id):
        raise KeyChangeRefusedError("the id is no id of a key")
    if change.expected != 0 or record.revoked_ms is not None:
        await _require_revocation(keys, record, change.expected)
    await keys.put(record, change.expected)


async def _require_revocation(keys: KeyRecords, record: KeyRecord, expected: int) -> None:
    kept = [each for each in await keys.read(expected - 1) if each.sequence == expected]
    before = kept[0].record if kept else None
    if before is None or kept[0].key_id != record.id:
        raise KeyChangeRefusedError("there is no such key in that place")
    if before.revoked_ms is not None or record.revoked_ms is None:
        raise KeyChangeRefusedError("a key can only be revoked, once")
    if replace(before, revoked_ms=record.revoked_ms) != record:
        raise KeyChangeRefusedError("of a key nothing but its revocation can change")
