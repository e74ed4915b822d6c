"""What keeps the content of views unreadable without a key that can be destroyed.

MongoDB keeps what was removed for a while: in its journal, its oplog, in freed blocks of its files.
So it is never given content, only what the key of a tenant seals, which is noise once that key is
destroyed.
"""

import os
from collections.abc import Sequence
from typing import Any, Final, Literal, Protocol

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from turnwire_chassis.secret_keys import KEY_BYTES, secret_keys
from turnwire_contracts.ids import TenantId

log = structlog.get_logger()

Document = dict[str, Any]
"""What MongoDB keeps, or is to keep, of one turn or conversation."""

Field = Literal["turn", "conversation"]
"""The field of a document that holds what was said."""
TURN: Final[Field] = "turn"
CONVERSATION: Final[Field] = "conversation"

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


class ViewKeys(Protocol):
    """One key a tenant. Every method raises `ViewsUnavailableError`."""

    async def making(self, tenant: TenantId) -> ViewKey:
        """Give a tenant's key to seal with; one that has none gets one."""
        ...

    async def find(self, tenant: TenantId) -> ViewKey | None:
        """Give a tenant's key to open with, if it has one."""
        ...

    async def destroy(self, tenant: TenantId) -> None:
        """Overwrite a tenant's key: what it sealed never opens again. Twice is fine."""
        ...


class FieldSealing:
    """Seals one field of documents on their way in, and opens it on their way out."""

    def __init__(self, keys: ViewKeys) -> None:
        self._keys = keys

    async def sealed(self, documents: Sequence[Document], field: Field) -> list[Document]:
        """Seal the field, a text so far. Raises `ViewsUnavailableError`."""
        tenants = {TenantId(document["tenant"]) for document in documents}
        keys = {tenant: await self._keys.making(tenant) for tenant in tenants}
        return [
            {
                **document,
                field: keys[document["tenant"]].seal(document["_id"], document[field].encode()),
            }
            for document in documents
        ]

    async def opened(self, documents: Sequence[Document], field: Field) -> list[Document]:
        """Make the field a text again; what was sealed with a key that is gone is left out.

        A text is what an earlier version wrote. Raises `ViewsUnavailableError`.
        """
        tenants = {TenantId(document["tenant"]) for document in documents}
        keys = {tenant: await self._keys.find(tenant) for tenant in tenants}
        found: list[Document] = []
        for document in documents:
            content, key = document[field], keys[document["tenant"]]
            if not isinstance(content, bytes):
                found.append(document)
                continue
            try:
                if key is not None:
                    text = key.open(document["_id"], content).decode()
                    found.append({**document, field: text})
            except UnopenableError:
                # The log says what there is to say about it.
                log.warning("view does not open", about=document["_id"])
        return found
