"""The URL and the secrets of a webhook: sealed by the gateway, opened where they are used. Pure.

Neither can be read from the log, the keys or their backups without `TURNWIRE_SEAL_KEY`.
"""

import base64
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from turnwire_chassis.tool_servers.secret_envelope import Purpose, Sealer
from turnwire_contracts.ids import ResponseId, TenantId

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 -- what secrets begin with
"""Standard Webhooks: what follows is base64."""

SECRET_BYTES: Final = 32
KEPT_AFTER_ROTATION_MS: Final = 24 * 3_600_000
"""OpenAI: `keep_old_secret_active_for_24_hours`."""

URL_KEPT_MS: Final = 30 * 24 * 3_600_000
"""For how long a request's own URL can be read: so long its events can be sent again."""

_FOR_EVER: Final = 253_402_300_799_000
_URL_OF_REQUEST: Final = "webhook:url"
_OF_KEY: Final = "webhook:"
"""No `server_label` has a colon, so nothing of an MCP server opens as one of these."""


class SigningSecret(Struct, frozen=True, omit_defaults=True):
    """One secret that signs."""

    text: str
    """`whsec_` and base64, as its receiver is given it."""
    until_ms: int | None = None
    """Unix milliseconds until which it signs beside a newer one."""

    def __repr__(self) -> str:
        """Give no secret: tracebacks and logs print this."""
        return "SigningSecret(…)"


class WebhookEndpoint(Struct, frozen=True):
    """Where the events of a key are told, and what signs them: the newest secret first."""

    url: str
    secrets: tuple[SigningSecret, ...]

    def __repr__(self) -> str:
        """Give no URL either: some hide a key in it."""
        return "WebhookEndpoint(…)"

    def active_secrets(self, now_ms: int) -> Sequence[str]:
        """Give what signs now."""
        return [
            each.text for each in self.secrets if each.until_ms is None or now_ms < each.until_ms
        ]

    def rotated(self, secret: str, now_ms: int, *, keep_old: bool) -> "WebhookEndpoint":
        """Sign with a new secret; with `keep_old`, for a day with the one before it, too."""
        until = now_ms + KEPT_AFTER_ROTATION_MS
        old = [SigningSecret(self.secrets[0].text, until)] if keep_old else []
        return WebhookEndpoint(self.url, (SigningSecret(secret), *old))


class SealedUrl(Struct, frozen=True):
    """The URL that a request names itself."""

    url: str

    def __repr__(self) -> str:
        """Give no URL: some hide a key in it."""
        return "SealedUrl(…)"


def new_secret(randomness: bytes) -> str:
    """Write a secret from `SECRET_BYTES` random bytes."""
    return SECRET_PREFIX + base64.b64encode(randomness[:SECRET_BYTES]).decode("ascii")


def purpose_of_key(tenant: TenantId, key_id: str) -> Purpose:
    """Give what the webhook of an API key is sealed for."""
    return Purpose(tenant, ResponseId(""), f"{_OF_KEY}{key_id}", "")


def purpose_of_request(tenant: TenantId, response_id: ResponseId) -> Purpose:
    """Give what the URL of a request is sealed for."""
    return Purpose(tenant, response_id, _URL_OF_REQUEST, "")


def seal_endpoint(sealer: Sealer, endpoint: WebhookEndpoint, tenant: TenantId, key_id: str) -> str:
    """Seal the webhook of an API key, for as long as the key has it."""
    return sealer.seal(endpoint, purpose_of_key(tenant, key_id), _FOR_EVER)


def seal_url(
    sealer: Sealer, url: str, tenant: TenantId, response_id: ResponseId, at_ms: int
) -> str:
    """Seal the URL that a request names."""
    return sealer.seal(SealedUrl(url), purpose_of_request(tenant, response_id), at_ms + URL_KEPT_MS)
