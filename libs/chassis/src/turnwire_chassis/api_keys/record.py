"""What is kept of an API key: whose it is, and a keyed hash of it. Pure."""

import hmac
from typing import Literal

from msgspec import Struct

from turnwire_chassis.api_keys.key_text import KeyId, id_of_key
from turnwire_contracts.ids import OwnerId, TenantId

Role = Literal["user", "admin"]

_SHOWN = 4


class KeyOwner(Struct, frozen=True):
    """The tenant, user and roles that a key stands for."""

    tenant: TenantId
    user: OwnerId
    role: Role
    label: str = ""


class KeyRecord(Struct, frozen=True, omit_defaults=True):
    """One key, as the bucket `API_KEYS` has it; a key that was revoked stays in it."""

    id: KeyId
    holder: KeyOwner
    digest: str
    """HMAC-SHA-256 of the whole key under the deployment's pepper, in hexadecimal."""
    pepper: str
    """Which pepper that was, so that a gateway with another one can say so."""
    ending: str
    """The key's last four letters, by which people know it again."""
    created_ms: int
    revoked_ms: int | None = None


def recorded(key: str, holder: KeyOwner, pepper: bytes, created_ms: int) -> KeyRecord:
    """Make the record of `key`, which holds a hash of it. Raises `ValueError` if it is no key."""
    key_id = id_of_key(key)
    if key_id is None:
        raise ValueError("not an API key")
    return KeyRecord(
        id=key_id,
        holder=holder,
        digest=digest_of(key, pepper),
        pepper=name_of_pepper(pepper),
        ending=key[-_SHOWN:],
        created_ms=created_ms,
    )


def digest_of(key: str, pepper: bytes) -> str:
    """Hash a key with the pepper (HMAC); 256 random bits need no slow hash."""
    return hmac.digest(pepper, key.encode("ascii"), "sha256").hex()


def name_of_pepper(pepper: bytes) -> str:
    """Give eight digits that tell two peppers apart and say nothing else about them."""
    return hmac.digest(pepper, b"turnwire: which pepper", "sha256").hex()[:8]
