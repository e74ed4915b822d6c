"""The key of one tenant's views: what it seals is noise once it is destroyed.

MongoDB keeps what was removed for a while: in its journal, its oplog, in freed blocks of its files.
So it is never given content, only what this key seals. The key itself is kept where it can be
destroyed (`view_keys.py`).
"""

import os
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from turnwire_chassis.secrecy.secret_keys import KEY_BYTES, secret_keys
from turnwire_contracts.ids import TenantId

SETTING: Final = "TURNWIRE_VIEW_KEY"

_ID_BYTES: Final = 8
_NONCE_BYTES: Final = 12
_BARE: Final = b"\x00"
_WRAPPED: Final = b"\x01"


class UnopenableError(Exception):
    """It was sealed with another key, or for something else, or was changed."""


class ViewKey:
    """Seals and opens; its `id` stands in front of what it seals."""

    def __init__(self, material: bytes) -> None:
        """`material` is its id and its secret, as `new` makes them."""
        self.id = material[:_ID_BYTES]
        self._material = material
        self._cipher = AESGCM(material[_ID_BYTES:])

    @classmethod
    def new(cls) -> "ViewKey":
        """Draw one."""
        return cls(os.urandom(_ID_BYTES + KEY_BYTES))

    def __repr__(self) -> str:
        """Say nothing secret."""
        return f"ViewKey({self.id.hex()})"

    def seal(self, about: str, content: bytes) -> bytes:
        """Seal the content of the document `about`; it opens for that one only."""
        nonce = os.urandom(_NONCE_BYTES)
        return self.id + nonce + self._cipher.encrypt(nonce, content, about.encode())

    def open(self, about: str, sealed: bytes) -> bytes:
        """Open what `seal` gave; raises `UnopenableError`."""
        sealed_with, rest = sealed[:_ID_BYTES], sealed[_ID_BYTES:]
        if sealed_with != self.id:
            raise UnopenableError(about)
        try:
            return self._cipher.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], about.encode())
        except (InvalidTag, ValueError):
            raise UnopenableError(about) from None

    def bare(self) -> bytes:
        """Give the material, to be wrapped."""
        return self._material


class MasterKeys:
    """Wraps tenants' keys with the first of its keys, unwraps with any; without any, not at all."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Each of 32 bytes."""
        self._ciphers = [AESGCM(key) for key in keys]

    @classmethod
    def parse(cls, text: str) -> "MasterKeys":
        """Read the setting: keys in base64 or hex, comma-separated. Raises `SettingsError`."""
        return cls(secret_keys(SETTING, text) if text else [])

    def wrap(self, tenant: TenantId, key: ViewKey) -> bytes:
        """Write a key as it is kept."""
        if not self._ciphers:
            return _BARE + key.bare()
        nonce = os.urandom(_NONCE_BYTES)
        return _WRAPPED + nonce + self._ciphers[0].encrypt(nonce, key.bare(), tenant.encode())

    def unwrap(self, tenant: TenantId, kept: bytes) -> ViewKey:
        """Read a key as it is kept; raises `UnopenableError`."""
        kind, rest = kept[:1], kept[1:]
        if kind == _BARE and len(rest) == _ID_BYTES + KEY_BYTES:
            return ViewKey(rest)
        for cipher in self._ciphers if kind == _WRAPPED else ():
            try:
                opened = cipher.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], tenant.encode())
            except (InvalidTag, ValueError):
                continue
            return ViewKey(opened)
        raise UnopenableError(f"the key to views of {tenant} does not open; is {SETTING} right?")
