"""Who is calling, by the `Authorization` of a request: an API key, or a token of the issuer."""

from typing import Final, Protocol

from turnwire_chassis.api_keys.key_text import KEY_PREFIX
from turnwire_gateway.answers.errors import wrong_credentials
from turnwire_gateway.credentials.key_ring import KeyRing
from turnwire_gateway.identity import LOCAL, Caller

LONGEST_TOKEN: Final = 8192
"""Letters; nothing longer is looked at."""

_SCHEME: Final = "bearer"


class Issuer(Protocol):
    """Whoever gives out tokens that are not ours."""

    async def caller_of(self, token: str) -> Caller | None:
        """Give whom a token names; `None` for one that is not good.

        Raises `ApiError` (503) while nothing is known by which it could be judged.
        """
        ...


class Bearers:
    """Tells every caller; everybody is the one local user while nothing else is configured."""

    def __init__(self, ring: KeyRing, issuer: Issuer | None, *, may_be_open: bool) -> None:
        """`may_be_open`: only this machine can ask."""
        self._ring = ring
        self._issuer = issuer
        self._may_be_open = may_be_open

    @property
    def is_open(self) -> bool:
        """Whether any token, or none, will do."""
        return self._may_be_open and self._issuer is None and not self._ring.ever_made

    async def identify(self, authorization: str | None) -> Caller:
        """Give the caller. Raises `ApiError`: 401 for all that is wrong with a token, alike."""
        if self.is_open:
            return LOCAL
        caller = await self._caller_of(_token(authorization))
        if caller is None:
            raise wrong_credentials()
        return caller

    async def _caller_of(self, token: str | None) -> Caller | None:
        if token is None:
            return None
        if token.startswith(KEY_PREFIX):
            return self._ring.caller_of(token)
        return None if self._issuer is None else await self._issuer.caller_of(token)


def _token(authorization: str | None) -> str | None:
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != _SCHEME or not token.isascii() or len(token) > LONGEST_TOKEN:
        return None
    return token or None
