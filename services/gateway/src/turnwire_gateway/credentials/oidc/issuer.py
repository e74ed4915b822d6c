"""The issuer as the gateway remembers it: its keys, and the tokens that were good."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import Final

import structlog
from jwt import PyJWK

from turnwire_gateway.answers.errors import identity_unavailable
from turnwire_gateway.credentials.oidc.claims import caller_named
from turnwire_gateway.credentials.oidc.config import Oidc
from turnwire_gateway.credentials.oidc.fetching import NoKeysError, fetch_keys
from turnwire_gateway.credentials.oidc.key_set import KeySet
from turnwire_gateway.credentials.oidc.token import LEEWAY_S, key_id_said, verified
from turnwire_gateway.identity import Caller

log = structlog.get_logger()

FETCH_EVERY_S: Final = 300.0
FETCH_AGAIN_S: Final = 5.0
"""However many unknown keys are named, the issuer is asked no more often."""

REMEMBERED: Final = 1024

Fetch = Callable[[Oidc], KeySet]


class OidcIssuer:
    """Judges tokens. The last keys that could be had are used while the issuer is away."""

    def __init__(
        self, oidc: Oidc, fetch: Fetch = fetch_keys, again_s: float = FETCH_AGAIN_S
    ) -> None:
        """Ask nothing yet; `fetch` runs in a thread and may raise `NoKeysError`."""
        self._oidc = oidc
        self._fetch = fetch
        self._again_s = again_s
        self._keys: KeySet | None = None
        self._asked_at = float("-inf")
        self._asking = asyncio.Lock()
        self._good: OrderedDict[bytes, tuple[Caller, float]] = OrderedDict()

    async def caller_of(self, token: str) -> Caller | None:
        """See `Issuer.caller_of`."""
        may_be, key_id = key_id_said(token)
        if not may_be:
            return None
        name = sha256(token.encode("ascii")).digest()
        known = self._good.get(name)
        if known is not None and time.time() < known[1]:
            return known[0]
        key = await self._key(key_id)
        claims = None if key is None else verified(token, key, self._oidc)
        caller = None if claims is None else caller_named(claims, self._oidc)
        if claims is not None and caller is not None:
            self._remember(name, caller, float(claims["exp"]) + LEEWAY_S)
        return caller

    async def keep(self) -> None:
        """Keep the keys fresh until cancelled."""
        while True:
            await self._refresh()
            await asyncio.sleep(self._again_s if self._keys is None else FETCH_EVERY_S)

    async def _key(self, key_id: str | None) -> PyJWK | None:
        found = None if self._keys is None else self._keys.find(key_id)
        if found is None:
            await self._refresh()
            if self._keys is None:
                raise identity_unavailable()
            found = self._keys.find(key_id)
        return found

    async def _refresh(self) -> None:
        async with self._asking:
            if time.monotonic() - self._asked_at < self._again_s:
                return
            try:
                keys = await asyncio.to_thread(self._fetch, self._oidc)
            except NoKeysError as error:
                log.warning("keys of the issuer not read", error=str(error))
            else:
                self._keys = keys
                # What a key that was taken back has signed must not be good any longer.
                self._good.clear()
            finally:
                self._asked_at = time.monotonic()

    def _remember(self, name: bytes, caller: Caller, until: float) -> None:
        self._good[name] = (caller, until)
        if len(self._good) > REMEMBERED:
            self._good.popitem(last=False)
