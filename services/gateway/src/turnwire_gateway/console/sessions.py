"""Sessions of the console: what a cookie stands for. Pure but for the secret's randomness.

A session is a credential, sealed with a key that only the browser's cookie has. Who reads the
broker, or a backup of it, can open none.
"""

import base64
import hmac
import os
from collections.abc import Callable
from typing import Final, Protocol

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

_SECRET_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_ID_CHARACTERS: Final = 32
_LONGEST_COOKIE: Final = 64


class ConsoleSession(Struct, frozen=True):
    """What a user signed in with, and until when it counts."""

    authorization: str
    """As in the header of that name."""
    expires_ms: int


class SessionRecords(Protocol):
    """Keeps sealed sessions, each under its id. Both raise `ApiError` (503) without the broker."""

    async def read(self, session_id: str) -> bytes:
        """Give what was kept last, empty for nothing."""
        ...

    async def put(self, session_id: str, sealed: bytes) -> None:
        """Keep something in place of what was there."""
        ...


class ConsoleSessions:
    """Opens, finds and ends sessions by the secret that is the cookie's value."""

    def __init__(self, records: SessionRecords, now_ms: Callable[[], int], lasting_ms: int) -> None:
        """`lasting_ms`: how long a session lasts, used or not."""
        self._records = records
        self._now_ms = now_ms
        self.lasting_ms = lasting_ms

    async def begin(self, authorization: str) -> tuple[str, ConsoleSession]:
        """Keep a new session; give the cookie's value and the session."""
        secret = os.urandom(_SECRET_BYTES)
        session = ConsoleSession(authorization, self._now_ms() + self.lasting_ms)
        await self._records.put(_id_of(secret), _sealed(session, secret))
        return base64.urlsafe_b64encode(secret).decode("ascii").rstrip("="), session

    async def find(self, cookie: str) -> ConsoleSession | None:
        """Give the session of a cookie; `None` for one that is over or never was."""
        secret = _secret_in(cookie)
        if secret is None:
            return None
        session = _opened(await self._records.read(_id_of(secret)), secret)
        if session is None or session.expires_ms <= self._now_ms():
            return None
        return session

    async def end(self, cookie: str) -> None:
        """Forget the session of a cookie, if there is one.

        For a cookie that opens none nothing is kept: the bucket has an end, and cookies that are
        made up would push the sessions of others out of it.
        """
        secret = _secret_in(cookie)
        if secret is not None and await self.find(cookie) is not None:
            await self._records.put(_id_of(secret), b"")


def _secret_in(cookie: str) -> bytes | None:
    if len(cookie) > _LONGEST_COOKIE or not cookie.isascii():
        return None
    try:
        secret = base64.urlsafe_b64decode(cookie + "=" * (-len(cookie) % 4))
    except ValueError:
        return None
    return secret if len(secret) == _SECRET_BYTES else None


def _id_of(secret: bytes) -> str:
    return hmac.digest(secret, b"id", "sha256").hex()[:_ID_CHARACTERS]


def _cipher(secret: bytes) -> AESGCM:
    return AESGCM(hmac.digest(secret, b"seal", "sha256"))


def _sealed(session: ConsoleSession, secret: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + _cipher(secret).encrypt(nonce, msgspec.json.encode(session), None)


def _opened(sealed: bytes, secret: bytes) -> ConsoleSession | None:
    if len(sealed) <= _NONCE_BYTES:
        return None
    nonce, closed = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    try:
        plain = _cipher(secret).decrypt(nonce, closed, None)
        return msgspec.json.decode(plain, type=ConsoleSession)
    except (InvalidTag, msgspec.MsgspecError):
        return None
