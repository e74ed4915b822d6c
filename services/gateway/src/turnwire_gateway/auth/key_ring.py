"""The API keys in memory: whose a key is costs one look-up and one hash. Pure."""

import hmac
from datetime import UTC, datetime
from typing import Final

from turnwire_chassis.api_keys.bucket import KeyEntry
from turnwire_chassis.api_keys.key_text import KeyId, id_of_key
from turnwire_chassis.api_keys.record import KeyRecord, Role, digest_of, name_of_pepper
from turnwire_gateway.auth.caller import ADMIN, OPERATOR, USER, Caller
from turnwire_gateway.errors import expired_key

_ROLES: Final[dict[Role, frozenset[str]]] = {
    "user": frozenset({USER}),
    "admin": frozenset({USER, ADMIN}),
    "operator": frozenset({USER, OPERATOR}),
}
_NO_DIGEST: Final = "0" * 64


class KeyRing:
    """The keys that the bucket had when it was last read."""

    def __init__(self, pepper: bytes) -> None:
        """`pepper`: what keys are hashed with; without one no key is ever valid."""
        self._pepper = pepper
        self._records: dict[KeyId, KeyRecord] = {}
        self._callers: dict[KeyId, Caller] = {}
        self.ever_made = False
        """Whether there has ever been a key: from then on every caller needs one."""

    def learn(self, entry: KeyEntry) -> None:
        """Take one entry of the bucket: a key, or that it was revoked or removed."""
        self.ever_made = True
        record = entry.record
        if record is None or record.id != entry.key_id or record.revoked_ms is not None:
            self._records.pop(entry.key_id, None)
            self._callers.pop(entry.key_id, None)
            return
        holder = record.holder
        roles = _ROLES[holder.role]
        self._records[record.id] = record
        self._callers[record.id] = Caller(
            holder.tenant, holder.user, roles, record.id, record.scopes, record.webhook
        )

    def caller_of(self, key: str, now_ms: int) -> Caller | None:
        """Give whose key it is; `None` for one that is not valid, for whatever reason.

        The comparison takes the same time for known and unknown keys. Raises `ApiError` (401) for a
        key that has expired: only who has the whole key is told.
        """
        key_id = id_of_key(key)
        if key_id is None or not self._pepper:
            return None
        record = self._records.get(key_id)
        digest = _NO_DIGEST if record is None else record.digest
        matches = hmac.compare_digest(digest_of(key, self._pepper), digest)
        if not matches or record is None:
            return None
        if record.is_expired(now_ms):
            raise expired_key(_moment(record.expires_ms or 0))
        return self._callers.get(key_id)

    def of_another_pepper(self) -> int:
        """Count the keys that were hashed with another pepper: they are refused here."""
        ours = name_of_pepper(self._pepper) if self._pepper else ""
        return sum(record.pepper != ours for record in self._records.values())


def _moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
