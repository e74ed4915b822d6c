"""How an OIDC issuer is configured. Pure."""

from urllib.parse import urlsplit

from msgspec import Struct

from turnwire_chassis.api_keys.addresses import is_loopback


class OidcConfig(Struct, frozen=True):
    """Whose tokens are taken, and how they name a caller."""

    issuer: str
    audience: str
    jwks_url: str | None = None
    """Where its keys are; `None`: its discovery document says so."""
    tenant: str | None = None
    """The tenant of all its users; `None`: the token says which one."""
    tenant_claim: str = "tenant"
    user_claim: str = "sub"
    roles_claim: str = "roles"


class OidcClientConfig(Struct, frozen=True):
    """How the console signs its users in at that issuer."""

    oidc: OidcConfig
    client_id: str
    client_secret: str | None
    """`None`: a public client; PKCE alone proves who began."""
    scope: str
    console_url: str
    """Where browsers have the console, without a slash at its end."""


def is_safe_url(url: str) -> bool:
    """Tell whether what is read there cannot be changed on the way: https, or this machine."""
    parts = urlsplit(url)
    if parts.hostname is None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))
