"""Who may call: everything that tells it, put together, and kept as new keys come and go."""

import asyncio
from collections.abc import Callable

from nats.aio.client import Client

from turnwire_chassis.api_keys.addresses import is_loopback
from turnwire_chassis.settings import SettingsError
from turnwire_gateway.auth.bearer import Bearers
from turnwire_gateway.auth.key_ring import KeyRing
from turnwire_gateway.auth.key_watch import KeyWatch
from turnwire_gateway.auth.oidc_config import OidcConfig
from turnwire_gateway.auth.oidc_issuer import OidcIssuer


class Identities:
    """API keys, the tokens of an issuer, or the one local user."""

    def __init__(
        self,
        client: Client,
        host: str,
        pepper: bytes,
        oidc: OidcConfig | None,
        now_ms: Callable[[], int],
    ) -> None:
        """`host`: the address that the API listens on; `pepper`: what keys are hashed with."""
        self._ring = KeyRing(pepper)
        self._host = host
        self.keys = KeyWatch(client, self._ring)
        self._issuer = oidc and OidcIssuer(oidc)
        self.bearers = Bearers(
            self._ring, self._issuer, may_be_open=is_loopback(host), now_ms=now_ms
        )

    async def keep(self) -> None:
        """Follow the bucket and the issuer until cancelled."""
        following = [self.keys.keep(), *([self._issuer.keep()] if self._issuer else [])]
        await asyncio.gather(*following)

    async def begin(self) -> None:
        """Read all keys.

        Raises `SettingsError` when other machines can reach the API and no credentials are set up.
        """
        await self.keys.begin()
        if is_loopback(self._host) or self._ring.ever_made or self._issuer is not None:
            return
        raise SettingsError(
            f"TURNWIRE_HOST is {self._host}, so others can reach the API, and nothing says who may "
            "use it. Make an API key (turnwire keys create --tenant … --user … --role admin) and "
            "start again, or set TURNWIRE_OIDC_ISSUER, or let TURNWIRE_HOST be 127.0.0.1."
        )
