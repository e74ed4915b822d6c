"""Who is calling, by the `Authorization` of a request: an API key, or a token of the issuer."""

from collections.abc import Callable
from typing import Final, Protocol

from turnwire_chassis.api_keys.key_text import KEY_PREFIX
from turnwire_gateway.auth.caller import LOCAL, Caller
from turnwire_gateway.auth.key_ring import KeyRing
from turnwire_gateway.errors import wrong_credentials

LONGEST_TOKEN: Final = 8192
"""Characters; anything longer is refused unread."""

_SCHEME: Final = "bearer"


class Issuer(Protocol):
    """Gives out tokens that are no API keys of Turnwire."""

    async def caller_of(self, token: str) -> Caller | None:
        """Give the caller that a token names; `None` for one that is not valid.

        Raises `ApiError` (503) while the issuer's keys could not be read.
        """
        ...


class Bearers:
    """Identifies callers; while no key and no issuer is set up, all are the one local user."""

    def __init__(
        self,
        ring: KeyRing,
        issuer: Issuer | None,
        *,
        may_be_open: bool,
        now_ms: Callable[[], int],
    ) -> None:
        """`may_be_open`: only this machine can reach the API. `now_ms` tells when keys expire."""
        self._ring = ring
        self._issuer = issuer
        self._may_be_open = may_be_open
        self._now_ms = now_ms

    def is_open(self) -> bool:
        """Tell whether any token, or none, will do."""
        return self._may_be_open and self._issuer is None and not self._ring.ever_made

    async def identify(self, authorization: str | None) -> Caller:
        """Give the caller.

        Raises `ApiError`: 401 for all that is wrong with a token, alike, but for an API key whose
        time is over.
        """
        if self.is_open():
            return LOCAL
        caller = await self._caller_of(_token(authorization))
        if caller is None:
            raise wrong_credentials()
        return caller

    async def _caller_of(self, token: str | None) -> Caller | None:
        if token is None:
            return None
        if token.startswith(KEY_PREFIX):
            return self._ring.caller_of(token, self._now_ms())
        return None if self._issuer is None else await self._issuer.caller_of(token)


def _token(authorization: str | None) -> str | None:
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != _SCHEME or not token.isascii() or len(token) > LONGEST_TOKEN:
        return None
    return token or None
