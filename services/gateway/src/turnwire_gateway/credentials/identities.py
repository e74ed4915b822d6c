"""From the settings to the one place that says who is calling, and keeps up with what is new."""

import asyncio

from nats.aio.client import Client

from turnwire_chassis.api_keys.addresses import is_loopback
from turnwire_chassis.settings import SettingsError
from turnwire_gateway.credentials.bearer import Bearers
from turnwire_gateway.credentials.key_ring import KeyRing
from turnwire_gateway.credentials.key_watch import KeyWatch
from turnwire_gateway.credentials.oidc.issuer import OidcIssuer
from turnwire_gateway.settings import GatewaySettings


class Identities:
    """Who may call: API keys, the tokens of an issuer, or the one local user."""

    def __init__(self, settings: GatewaySettings, client: Client) -> None:
        """Know nobody yet."""
        self._ring = KeyRing(settings.pepper)
        self._host = settings.host
        self.keys = KeyWatch(client, self._ring)
        self._issuer = settings.oidc and OidcIssuer(settings.oidc)
        self.bearers = Bearers(self._ring, self._issuer, may_be_open=is_loopback(settings.host))

    async def keep(self) -> None:
        """Follow the bucket and the issuer until cancelled."""
        following = [self.keys.keep(), *([self._issuer.keep()] if self._issuer else [])]
        await asyncio.gather(*following)

    async def begin(self) -> None:
        """Read all keys. Raises `SettingsError` where nobody could call, but everybody ask."""
        await self.keys.begin()
        if is_loopback(self._host) or self._ring.ever_made or self._issuer is not None:
            return
        raise SettingsError(
            f"TURNWIRE_HOST is {self._host}, so others can reach the API, and nothing says who may "
            "use it. Make an API key (turnwire keys create --tenant … --user … --role admin) and "
            "start again, or set TURNWIRE_OIDC_ISSUER, or let TURNWIRE_HOST be 127.0.0.1."
        )
