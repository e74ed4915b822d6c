"""What is kept of an API key: whose it is, and a keyed hash of it. Pure."""

import hmac
from typing import Final, Literal, get_args

from msgspec import Struct

from turnwire_chassis.api_keys.key_text import KeyId, id_of_key
from turnwire_contracts.ids import OwnerId, TenantId
from turnwire_contracts.webhooks.subscription import WEBHOOK_EVENT_TYPES, WebhookEventType

Role = Literal["user", "admin", "operator"]
"""`admin`: all of one tenant. `operator`: all tenants, but nothing that was said in them."""

ROLES: Final[tuple[Role, ...]] = get_args(Role)

Scope = Literal["read", "write", "admin"]
"""What a key may be used for, within its role."""

SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)

_SHOWN = 4


class KeyOwner(Struct, frozen=True):
    """The tenant, user and roles that a key stands for."""

    tenant: TenantId
    user: OwnerId
    role: Role
    label: str = ""


class KeyTerms(Struct, frozen=True):
    """What a key may be used for, and for how long."""

    scopes: tuple[Scope, ...] = SCOPES
    expires_ms: int | None = None
    """Unix milliseconds from which on the key is refused; `None`: it does not expire."""


class KeyWebhook(Struct, frozen=True, omit_defaults=True):
    """Where events of a key's responses are told."""

    sealed: str
    """Its URL and its secrets (`webhooks/endpoint.py`)."""
    events: tuple[WebhookEventType, ...] = WEBHOOK_EVENT_TYPES


class KeyRecord(Struct, frozen=True, omit_defaults=True):
    """One key, as the bucket `API_KEYS` has it; a key that was revoked stays in it.

    Records of versions without scopes and expiry read as keys with every scope that never expire.
    """

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
    scopes: tuple[Scope, ...] = SCOPES
    expires_ms: int | None = None
    """Unix milliseconds from which on the key is refused."""
    webhook: KeyWebhook | None = None

    def is_expired(self, now_ms: int) -> bool:
        """Tell whether the time of the key is over."""
        return self.expires_ms is not None and now_ms >= self.expires_ms


def recorded(
    key: str, holder: KeyOwner, pepper: bytes, created_ms: int, terms: KeyTerms | None = None
) -> KeyRecord:
    """Make the record of `key`, which holds a hash of it. Raises `ValueError` if it is no key.

    Without `terms` it has every scope and does not expire.
    """
    terms = terms or KeyTerms()
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
        scopes=terms.scopes,
        expires_ms=terms.expires_ms,
    )


def digest_of(key: str, pepper: bytes) -> str:
    """Hash a key with the pepper (HMAC); 256 random bits need no slow hash."""
    return hmac.digest(pepper, key.encode("ascii"), "sha256").hex()


def name_of_pepper(pepper: bytes) -> str:
    """Give eight digits that tell two peppers apart and say nothing else about them."""
    return hmac.digest(pepper, b"turnwire: which pepper", "sha256").hex()[:8]
