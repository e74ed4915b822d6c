"""Secrets that travel with a turn, readable only by the service that opens them.

What is sealed can be logged, stored and sent: it opens with the key only, for one purpose, for a
while. AES-GCM-SIV (RFC 8452) was chosen because a nonce that is drawn twice gives nothing away but
that two texts are the same.
"""

import base64
import binascii
import os
from collections.abc import Sequence
from typing import Final, Literal, TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from msgspec import Struct

from turnwire_chassis.secret_keys import secret_keys
from turnwire_contracts.ids import ResponseId, TenantId
from turnwire_contracts.tools import ToolServer

SETTING = "TURNWIRE_SEAL_KEY"

_NONCE_BYTES = 12
_EXPIRY_BYTES = 8
# The first byte of what is sealed, and of what its purpose is bound with.
_VERSION: Final = b"\x01"
# Lengths are rounded up to this, so that they do not tell which secret it is.
_BLOCK = 128
_PADDING_BEGINS = b"\x80"

SecretT = TypeVar("SecretT")


class SealError(Exception):
    """What is sealed cannot be opened; nothing of it is in the text."""

    def __init__(self, code: Literal["expired", "unreadable"], text: str) -> None:
        """`unreadable`: changed, cut off, of another key or another purpose; none tells which."""
        self.code: Literal["expired", "unreadable"] = code
        super().__init__(text)


class ToolServerSecrets(Struct, frozen=True, omit_defaults=True):
    """What a request says of an MCP server that only that server may see."""

    authorization: str | None = None
    headers: dict[str, str] = {}

    def __repr__(self) -> str:
        """Give no secret: tracebacks and logs print this."""
        return "ToolServerSecrets(…)"


class Purpose(Struct, frozen=True):
    """What a secret is sealed for; it opens with an equal purpose only."""

    tenant: TenantId
    response_id: ResponseId
    label: str
    url: str
    """Empty for a server of the operator's registry."""

    @classmethod
    def of(cls, tenant: TenantId, response_id: ResponseId, server: ToolServer) -> "Purpose":
        """Make the purpose of credentials for one MCP server in one turn."""
        return cls(tenant=tenant, response_id=response_id, label=server.label, url=server.url)


class Sealer:
    """Seals with the first of its keys, opens with any of them."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Each key has 32 bytes; there is at least one."""
        self._ciphers = [AESGCMSIV(key) for key in keys]

    @classmethod
    def parse(cls, setting: str) -> "Sealer":
        """Read `TURNWIRE_SEAL_KEY`: keys in base64 or hex, comma-separated.

        To change the key, put the new one first, and take the old one away once what it sealed has
        expired. Raises SettingsError, which quotes no key.
        """
        return cls(secret_keys(SETTING, setting))

    def seal(self, secret: Struct, purpose: Purpose, until_ms: int) -> str:
        """Seal a struct until a time, in Unix milliseconds. ASCII, fit for JSON and URLs."""
        plain = until_ms.to_bytes(_EXPIRY_BYTES, "big") + msgspec.json.encode(secret)
        nonce = os.urandom(_NONCE_BYTES)
        closed = self._ciphers[0].encrypt(nonce, _padded(plain), _bound(purpose))
        return base64.urlsafe_b64encode(_VERSION + nonce + closed).decode("ascii").rstrip("=")

    def open(self, sealed: str, kind: type[SecretT], purpose: Purpose, now_ms: int) -> SecretT:
        """Give what was sealed for this purpose, if it has not expired. Raises SealError."""
        plain = self._opened(_decoded(sealed), _bound(purpose))
        if now_ms >= int.from_bytes(plain[:_EXPIRY_BYTES], "big"):
            raise SealError("expired", "The secret has expired.")
        body, _, _ = plain.rpartition(_PADDING_BEGINS)
        try:
            return msgspec.json.decode(body[_EXPIRY_BYTES:], type=kind)
        except msgspec.DecodeError:
            # Without its cause: that quotes what it could not read.
            raise _unreadable() from None

    def _opened(self, sealed: bytes, bound: bytes) -> bytes:
        nonce, closed = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        if sealed[:1] == _VERSION and closed:
            for cipher in self._ciphers:
                try:
                    return cipher.decrypt(nonce, closed, bound)
                except (InvalidTag, ValueError):
                    continue
        raise _unreadable()


def _padded(plain: bytes) -> bytes:
    begun = plain + _PADDING_BEGINS
    return begun + b"\0" * (-len(begun) % _BLOCK)


def _bound(purpose: Purpose) -> bytes:
    # JSON: one text for one purpose, whatever its parts contain.
    return _VERSION + msgspec.json.encode(purpose)


def _decoded(sealed: str) -> bytes:
    try:
        raw = base64.b64decode(sealed + "=" * (-len(sealed) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _unreadable() from None
    # Bits that base64 leaves over would let two texts stand for the same.
    if base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=") != sealed:
        raise _unreadable()
    return raw


def _unreadable() -> SealError:
    return SealError("unreadable", "The secret cannot be read.")
