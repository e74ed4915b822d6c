"""Which changes of an API key are kept: a new one, that one was revoked, and its webhook."""

import msgspec
from msgspec.structs import replace

from turnwire_chassis.administration.key_acts import KeyRecords
from turnwire_chassis.api_keys.key_text import is_key_id
from turnwire_chassis.api_keys.record import KeyRecord
from turnwire_contracts.administration.admin_queries import PutApiKey


class KeyChangeRefusedError(Exception):
    """It is no change that may be made to a key; the text says why."""


async def keep_key(keys: KeyRecords, change: PutApiKey) -> None:
    """Keep a new key, that a key was revoked, or the webhook of one that was not.

    What a gateway can have changed is so no more than that: it revives no key, and gives none to
    another owner. Raises `KeyChangeRefusedError`, `LogUnavailableError`.
    """
    record = msgspec.json.decode(change.record, type=KeyRecord)
    if not is_key_id(record.id):
        raise KeyChangeRefusedError("the id is no id of a key")
    if change.expected != 0 or record.revoked_ms is not None:
        await _require_change(keys, record, change.expected)
    await keys.put(record, change.expected)


async def _require_change(keys: KeyRecords, record: KeyRecord, expected: int) -> None:
    kept = [each for each in await keys.read(expected - 1) if each.sequence == expected]
    before = kept[0].record if kept else None
    if before is None or kept[0].key_id != record.id:
        raise KeyChangeRefusedError("there is no such key in that place")
    revoked = replace(before, revoked_ms=record.revoked_ms)
    changed = replace(before, webhook=record.webhook)
    # What was asked with a revoked key is told of until its webhook is removed.
    if before.revoked_ms is not None and (record != changed or record.webhook is not None):
        raise KeyChangeRefusedError("of a revoked key only the webhook can go")
    if before == record or record not in (revoked, changed):
        raise KeyChangeRefusedError("of a key nothing but its revocation or its webhook can change")
