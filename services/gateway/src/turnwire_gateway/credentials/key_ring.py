"""The API keys in memory: whose a key is costs one look-up and one hash. Pure."""

import hmac
from typing import Final

from turnwire_chassis.api_keys.bucket import Entry
from turnwire_chassis.api_keys.key_text import KeyId, id_of_key
from turnwire_chassis.api_keys.record import KeyRecord, Role, digest_of, name_of_pepper
from turnwire_gateway.identity import ADMIN, USER, Caller

_ROLES: Final[dict[Role, frozenset[str]]] = {
    "user": frozenset({USER}),
    "admin": frozenset({USER, ADMIN}),
}
_NOBODY: Final = "0" * 64


class KeyRing:
    """What the bucket said when it was last read."""

    def __init__(self, pepper: bytes) -> None:
        """Know no key; without a pepper none is ever good."""
        self._pepper = pepper
        self._known: dict[KeyId, KeyRecord] = {}
        self._callers: dict[KeyId, Caller] = {}
        self.ever_made = False
        """Whether there has ever been a key: then nobody is let in without one, for good."""

    def learn(self, entry: Entry) -> None:
        """Take what the bucket says of one key."""
        self.ever_made = True
        record = entry.record
        if record is None or record.id != entry.key_id or record.revoked_ms is not None:
            self._known.pop(entry.key_id, None)
            self._callers.pop(entry.key_id, None)
            return
        holder = record.holder
        roles = _ROLES[holder.role]
        self._known[record.id] = record
        self._callers[record.id] = Caller(holder.tenant, holder.user, roles, record.id)

    def caller_of(self, key: str) -> Caller | None:
        """Give whose key it is; `None` for one that is not good, for whatever reason."""
        key_id = id_of_key(key)
        if key_id is None or not self._pepper:
            return None
        record = self._known.get(key_id)
        kept = _NOBODY if record is None else record.digest
        right = hmac.compare_digest(digest_of(key, self._pepper), kept)
        return self._callers.get(key_id) if right else None

    def of_another_pepper(self) -> int:
        """Count the keys that no gateway with this pepper can ever take."""
        ours = name_of_pepper(self._pepper) if self._pepper else ""
        return sum(record.pepper != ours for record in self._known.values())
