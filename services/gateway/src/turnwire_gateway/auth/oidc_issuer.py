"""An OIDC issuer as the gateway remembers it: its keys, and the tokens that were valid."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import Final

import structlog
from jwt import PyJWK

from turnwire_gateway.auth.caller import Caller
from turnwire_gateway.auth.oidc_config import OidcConfig
from turnwire_gateway.auth.oidc_keys import KeySet, NoKeysError, fetch_keys
from turnwire_gateway.auth.oidc_token import LEEWAY_S, caller_named, key_id_of, verified
from turnwire_gateway.errors import identity_unavailable

log = structlog.get_logger()

FETCH_EVERY_S: Final = 300.0
FETCH_AGAIN_S: Final = 5.0
"""Seconds between two fetches at least, however many unknown keys are named."""

REMEMBERED: Final = 1024

Fetch = Callable[[OidcConfig], KeySet]


class OidcIssuer:
    """Verifies tokens. The last keys that were read are used while the issuer is away."""

    def __init__(
        self, oidc: OidcConfig, fetch: Fetch = fetch_keys, again_s: float = FETCH_AGAIN_S
    ) -> None:
        """`fetch` runs in a thread; `again_s`: at least so many seconds between fetches."""
        self._oidc = oidc
        self._fetch = fetch
        self._again_s = again_s
        self._keys: KeySet | None = None
        self._asked_at = float("-inf")
        self._asking = asyncio.Lock()
        self._valid: OrderedDict[bytes, tuple[Caller, float]] = OrderedDict()

    async def caller_of(self, token: str) -> Caller | None:
        """See `Issuer.caller_of`."""
        may_be, key_id = key_id_of(token)
        if not may_be:
            return None
        name = sha256(token.encode("ascii")).digest()
        remembered = self._valid.get(name)
        if remembered is not None and time.time() < remembered[1]:
            return remembered[0]
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
                # What a withdrawn key has signed must not be valid any longer.
                self._valid.clear()
            finally:
                self._asked_at = time.monotonic()

    def _remember(self, name: bytes, caller: Caller, until: float) -> None:
        self._valid[name] = (caller, until)
        if len(self._valid) > REMEMBERED:
            self._valid.popitem(last=False)
